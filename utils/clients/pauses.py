"""Read how long a service asks to be left alone: from the headers of its reply, or from words."""

import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LATEST = 1e9  # seconds to wait; a larger number is a date, one beyond 1e11 a date in milliseconds
NEAR = 600.0  # seconds; a date further away is not believed unless the server's own clock is known
# "try again in 1h2m3.5s", "retry in 0.2 seconds", "wait 40000 seconds", "retryDelay": "7s"
DURATION, SECONDS = re.compile(r"(\d+(?:\.\d+)?) ?(ms|h|m|s)"), {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
PAUSE = re.compile(
    r"(?:try again in|retry in|retry after|wait|retryDelay\W+)\s*((?:\d+(?:\.\d+)? ?(?:ms|h|m|s)[a-z]* ?)+)", re.I
)


def pause_in(text: str) -> float | None:
    """Return the seconds to wait that a text names, or None."""
    said = PAUSE.search(text)
    return _sum(said[1]) if said else None


def limit_reset(headers: Mapping[str, str]) -> dict[str, str]:
    """Return as `retry-after` when a rate limit that is used up begins again; {} if the headers do not say."""
    found = {}
    for name, value in headers.items():
        _, limit, kind = name.lower().partition("x-ratelimit-reset")
        if limit and headers.get(f"x-ratelimit-remaining{kind}") == "0":
            found["retry-after"] = f"{_sum(value):g}" if DURATION.search(value) else value
    return found


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read from the headers `retry-after-ms` or `Retry-After` how many seconds to wait; None if they do not say.

    `Retry-After` has seconds or a date, and some servers give the date in seconds since 1970. A date is compared with
    the server's own clock (its `Date` header), since ours may be wrong. Without that header, a date in the past or
    far away is ignored. See RFC 9110, section 10.2.3.
    """
    try:
        if "retry-after-ms" in headers:
            return _seconds(float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        is_number = re.fullmatch(r"[\d.]+", value)
        if is_number and float(value) < LATEST:
            return _seconds(float(value))
        until = float(value) if is_number else parsedate_to_datetime(value).timestamp()
        until = until / 1000 if until > 100 * LATEST else until
        if "date" in headers:
            return max(0.0, until - parsedate_to_datetime(headers["date"]).timestamp())
        return until - time.time() if 0 < until - time.time() < NEAR else None
    except (ValueError, TypeError, OverflowError):
        return None


def _sum(text: str) -> float:
    return sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text))


def _seconds(number: float) -> float | None:
    return max(0.0, number) if math.isfinite(number) else None


def duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
