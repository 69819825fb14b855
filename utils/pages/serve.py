"""Serve a page to browsers: by default only on this machine, and with no content from other servers."""

import argparse
import contextlib
import hmac
import io
import ipaddress
import logging
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.clients.keys import read_key
from utils.errors import BadInput
from utils.flags import port

if TYPE_CHECKING:
    import gradio

FOLDER = Path(__file__).parent
FONTS = ["system-ui", "Segoe UI", "Roboto", "Noto Sans", "Arial", "sans-serif"]
CODE_FONTS = ["ui-monospace", "DejaVu Sans Mono", "Consolas", "monospace"]
# Gradio's own grey is too light to read. These colours have a contrast of at least 4.5 to 1.
READABLE = {
    "body_text_color_subdued": "*neutral_600", "body_text_color_subdued_dark": "*neutral_300",
    "block_info_text_color": "*neutral_600", "block_info_text_color_dark": "*neutral_300",
    "block_title_text_color": "*neutral_800", "block_title_text_color_dark": "*neutral_100",
    "button_primary_background_fill": "*primary_700", "button_primary_background_fill_hover": "*primary_800",
    "button_primary_background_fill_dark": "*primary_700", "button_primary_text_color": "white",
}  # fmt: skip
# The browser may load files only from the page's own server, whatever the page or a text in it requests.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)


def add_page_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags for where a page is served, and to whom. Their names are Gradio's."""
    group = parser.add_argument_group("the page")
    group.add_argument("--server-name", default="127.0.0.1", metavar="ADDRESS", help="0.0.0.0: open it to the network")
    group.add_argument("--server-port", type=port, metavar="PORT", help="the first free one from 7860 on, if not given")
    group.add_argument("--share", action="store_true", help="a public address through Gradio's servers")
    group.add_argument(
        "--password", metavar="WORD",
        help="asked for before the page opens: a word, env:NAME or file:PATH (an argument can be read by every user of "
        "the machine); any user name goes",
    )  # fmt: skip
    group.add_argument("--inbrowser", action="store_true", help="open the page in this machine's browser")


def blocks(title: str) -> "gradio.Blocks":
    """Make an empty Gradio page without telemetry."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    try:
        import gradio
    except ModuleNotFoundError:
        raise BadInput("the pages need Gradio: pip install -r requirements-pages.txt") from None
    return gradio.Blocks(title=title, analytics_enabled=False)


def open_page(
    page: "gradio.Blocks", *, script: str = "", server_name: str = "127.0.0.1", server_port: int | None = None,
    share: bool = False, password: str | None = None, inbrowser: bool = False,
) -> str:  # fmt: skip
    """Serve the page and return its address at once. `script` is our own JavaScript, which the page loads."""
    import gradio

    try:
        socket.getaddrinfo(server_name, server_port)  # Gradio would try for ever
    except OSError as error:
        raise BadInput(
            f"--server-name {server_name}: {error.strerror}; 0.0.0.0 stands for all of this machine"
        ) from None
    word = password and read_key(password, "--password")
    auth = {"auth": lambda _, given: hmac.compare_digest(given.encode(), word.encode())} if word else {}
    told = io.StringIO()  # Gradio prints at length why there is no public address
    try:
        with contextlib.redirect_stdout(told) if share else contextlib.nullcontext():
            _, local, public = page.launch(
                server_name=server_name, server_port=server_port, share=share, inbrowser=inbrowser, quiet=True,
                prevent_thread_lock=True, footer_links=[], ssr_mode=False, head=f"<script>{script}</script>",
                theme=gradio.themes.Default(font=FONTS, font_mono=CODE_FONTS).set(**READABLE),
                css=(FOLDER / "page.css").read_text(encoding="utf-8"),
                app_kwargs={"middleware": [(OwnServerOnly, (), {})]}, **auth,
            )  # fmt: skip
    except OSError as error:
        why = f"port {server_port} is taken or not allowed" if server_port else str(error)
        raise BadInput(f"the page cannot be opened at {server_name}: {why}; give another --server-port") from None
    if share and not public:
        why = next((line.strip() for line in told.getvalue().splitlines() if line.startswith("Could not")), "")
        logging.warning("no public address, the page is at this one alone. Gradio says: %s", why)
    if public or not is_loopback(server_name):
        lacks = "" if word else ", without a --password"
        logging.warning("the page is open to others%s: whoever reaches its address can use it", lacks)
    return public or local


def serve(page: "gradio.Blocks", **flags: Any) -> None:
    """Open the page and wait until Ctrl-C; `flags` are those of `open_page`."""
    print(f"open {open_page(page, **flags)} in a browser; Ctrl-C ends it", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()  # Gradio's own wait needs 7 s to end while a browser has the page open


class OwnServerOnly:
    """ASGI middleware that adds `POLICY` to every response, so that the browser loads nothing from other servers."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def with_policy(message):
            if message["type"] == "http.response.start":
                headers = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in headers.items())]
            await send(message)

        await self.app(scope, receive, with_policy)


def is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
