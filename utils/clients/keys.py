"""Read the keys of services, keep them out of all output, and wipe them from the process's argument list."""

import ctypes
import logging
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from utils.errors import BadInput

SECRETS: set[str] = set()  # keys in use, which `redact` removes from texts
SHORTEST = 8  # characters; a shorter word is a placeholder ("none", "x") for a server that needs no key


def read_key(word: str, flag: str = "`openai <key> <model>`") -> str:
    """Return a key given as `env:NAME`, `file:PATH` or as text. Raises ValueError, which names `flag`, not the key."""
    kind, _, rest = word.partition(":")
    if kind == "env":
        key, origin = os.environ.get(rest, ""), f"the environment variable {rest}"
    elif kind == "file":
        try:
            key, origin = Path(rest).read_text(encoding="utf-8-sig"), rest
        except UnicodeDecodeError:  # PowerShell's `>` writes UTF-16
            raise BadInput(f"{flag}: {rest} is not a text in UTF-8") from None
    else:
        key, origin = word, "the key"
    key = key.strip()
    if not key:
        raise BadInput(f"{flag}: {origin} is empty or not set")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise BadInput(f"{flag}: {origin} holds spaces, line breaks or non-ASCII characters: that is no key")
    if len(key) < SHORTEST:
        return key
    if origin == "the key" and key in sys.argv and key not in SECRETS:
        wiped = wipe_arguments(key)
        logging.warning(
            "a key on the command line can be read by every user of this machine%s: better `env:NAME` or `file:PATH`",
            " until now, when it was wiped" if wiped else "",
        )
    SECRETS.add(key)
    return key


def redact(text: object) -> str:
    """Remove every key in use from a text."""
    text = str(text)
    for secret in sorted(SECRETS, key=len, reverse=True):
        text = text.replace(secret, "<key>")
    return text


def command_line() -> str:
    """Return the command that started this process, ready to be pasted, with `<key>` in place of a literal key."""
    words = [sys.executable or sys.orig_argv[0], *sys.orig_argv[1:]]
    return " ".join("'<key>'" if word in SECRETS else shlex.quote(word) for word in words)


def wipe_arguments(word: str) -> bool:
    """Overwrite `word` in the argument list that `ps` shows. Returns whether that worked (False except on Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        # man 5 proc: fields 48 and 49 of stat are where the arguments start and end in memory
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
        if not 0 < start < end:
            return False
        arguments, secret = ctypes.string_at(start, end - start), word.encode()
        at = arguments.find(secret)
        while at >= 0:
            ctypes.memset(start + at, ord("*"), len(secret))
            at = arguments.find(secret, at + len(secret))
        return secret not in Path("/proc/self/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


def checked_address(address: str, flag: str) -> str:
    """Return the address, with a scheme. Raises ValueError unless it is http(s) and without credentials."""
    address = address.strip()
    if re.search(r"[\s'\"`<>\\${}]", address) or not address.isprintable():
        raise BadInput(f"{flag}: the address holds quotes, brackets, spaces or line breaks: {address!r}")
    scheme, separator, _ = address.partition("://")
    try:
        parts = urlsplit(address if separator else f"http://{address}")
        parts.port  # noqa: B018 (it raises ValueError for an invalid port)
    except ValueError as error:
        raise BadInput(f"{flag}: not an address ({error})") from None
    if separator and scheme.lower() not in ("http", "https"):
        raise BadInput(f"{flag}: the address must be http:// or https://, not {scheme}://")
    if (separator and not parts.hostname) or re.match(r"/|https?:/(?!/)", address):
        raise BadInput(f"{flag}: {address} names no host")
    if parts.username is not None or parts.password is not None:
        raise BadInput(f"{flag}: an address with a user name or password in it would end up in logs; give a key")
    if parts.query or parts.fragment or address.endswith(("?", "#")):
        raise BadInput(
            f"{flag}: an address with `?` or `#` in it is not a server's address "
            "(Azure OpenAI has one without: https://NAME.openai.azure.com/openai/v1)"
        )
    return address


def by_proxy(address: str) -> str:
    """Say which environment variable sends calls to this address to a proxy; the text is empty if none does."""
    scheme, host = urlsplit(address).scheme, urlsplit(address).hostname or ""
    names = [name for name in (scheme, "all") if name in getproxies()]
    if not names or proxy_bypass(host):
        return ""
    return f"; {names[0].upper()}_PROXY sends the call to a proxy, which NO_PROXY={host} avoids"


def made(make: Callable[[], Any]) -> Any:
    """Return what `make` returns. Raises BadInput if a proxy, a certificate file or the address is unusable."""
    try:
        proxies = getproxies()
        for proxy in filter(None, map(proxies.get, ("http", "https", "all"))):
            urlsplit(proxy if "://" in proxy else f"http://{proxy}").port  # noqa: B018 (as above; else the first call)
        return make()
    except ImportError as error:  # a socks proxy needs a package of its own
        raise BadInput(f"the proxy that ALL_PROXY or HTTPS_PROXY names cannot be used: {redact(error)}") from None
    except Exception as error:  # each HTTP library has its own InvalidURL, which is not a ValueError
        said = redact(f"{type(error).__name__}: {error}")
        raise BadInput(
            f"no connection can be made with this address, proxy (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY) or "
            f"certificate (SSL_CERT_FILE): {said}"
        ) from None
