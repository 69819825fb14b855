"""A real browser (Debian's chromium) and a page of ours as a process of its own, for the tests of both pages."""

import contextlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LACKING = [name for name in ("gradio", "playwright", "latex2mathml") if find_spec(name) is None]
WAIT = 60_000  # milliseconds for anything that the page does: the machine may be busy with other tests


def needed() -> None:
    """Skip a test where the browser or the pages' packages are absent."""
    if LACKING:
        pytest.skip(f"not installed: {', '.join(LACKING)} (pip install -r requirements-dev.txt)")
    if not CHROMIUM:
        pytest.skip("no chromium (apt-get install chromium)")


@contextlib.contextmanager
def chromium():
    """Yields a browser, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


CONNECTED: set[str] = set()  # addresses that this process has opened a connection to, or looked up


def _note_connections(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        CONNECTED.add(str(arguments[1][0]))
    elif event == "socket.getaddrinfo" and arguments[0]:
        CONNECTED.add(str(arguments[0]))


@contextlib.contextmanager
def opened(page, script: str = "", **flags):
    """Yields the address of a page of this process: it starts faster than a process of its own."""
    from utils.pages.serve import FOLDER, open_page

    sys.addaudithook(_note_connections)
    CONNECTED.clear()
    try:
        yield open_page(page, script=script and (FOLDER / script).read_text(encoding="utf-8"), **flags)
    finally:
        page.close(verbose=False)


class PageServer:
    """`python -m script …` in a process; `url` is where its page is. `kill` is a kill -9."""

    def __init__(self, script: str, *arguments: object):
        command = [sys.executable, "-m", script, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.said = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("open http"):
                self.url = line.split()[1]
                return
        raise RuntimeError(f"{script} opened no page:\n{''.join(self.said)}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Visitor:
    """A person at a page: a browser context of its own, which notes requests to elsewhere and errors of scripts."""

    def __init__(self, browser, url: str, width: int = 1280):
        self.page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
        self.page.set_default_timeout(WAIT)
        self.url, self.elsewhere, self.errors = url, [], []
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)

    def _note(self, address: str) -> None:
        if not address.startswith((self.url, "data:", "blob:")):
            self.elsewhere.append(address)

    def press(self, keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def too_wide(self) -> list[str]:
        """What reaches beyond the right edge of the window."""
        return self.page.evaluate(
            "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.tagName + '#' + e.id + '.' + e.className)"
        )
