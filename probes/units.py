"""Times as people write them: ``250ms``, ``1.5s``, ``none``. Pure, standard library only."""

from __future__ import annotations

import re

_NS: dict[str, int] = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_ALIASES = {"µs": "us", "μs": "us", "m": "min", "sec": "s"}
_NONE = frozenset({"none", "off", "never", "-"})
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zµμ]*)")
_LONGEST_S = 3600.0

RIGHT = 'write a number and its unit, like "250ms", "1.5s" or "2min", or "none"'


def parse_duration(text: str) -> float | None:
    """Seconds, or None for ``none``. Units: ns, us, ms, s, min.

    Raises ValueError, whose text says what would be right: a bare number has no unit and is refused, and so is
    what is longer than an hour.
    """
    plain = text.strip().lower()
    if plain in _NONE:
        return None
    match = _DURATION.fullmatch(plain)
    if match is None:
        raise ValueError(f"{_shown(text)} is no time: {RIGHT}")
    number, unit = match.groups()
    unit = _ALIASES.get(unit, unit)
    if not unit:
        raise ValueError(f'{_shown(text)} has no unit: write "{number}ms" or "{number}s"')
    if unit not in _NS:
        raise ValueError(f"{_shown(text)} has an unknown unit: ns, us, ms, s and min are known")
    seconds = float(number) * _NS[unit] / 1e9
    if seconds > _LONGEST_S:
        raise ValueError(f"{_shown(text)} is longer than an hour")
    return seconds


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def format_duration(ns: int | None) -> str:
    """``ns`` nanoseconds in the largest unit that holds them, so that it reads back the same; None is ``none``."""
    if ns is None:
        return "none"
    for unit in ("s", "ms", "us"):
        whole, rest = divmod(abs(ns), _NS[unit])
        if whole and rest * 1000 % _NS[unit] == 0:
            decimals = f"{rest * 1000 // _NS[unit]:03d}".rstrip("0")
            return f"{'-' if ns < 0 else ''}{whole}{'.' + decimals if decimals else ''}{unit}"
    return f"{ns}ns" if ns else "0s"


def seconds_text(seconds: float | None) -> str:
    """``format_duration`` for a time that is held in seconds, to the nanosecond."""
    return format_duration(None if seconds is None else round(seconds * 1e9))
