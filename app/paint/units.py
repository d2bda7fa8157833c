"""Figures for the eye: two or three digits and a unit. How people write times is in ``probes.units``."""

from __future__ import annotations

from collections.abc import Mapping

from app.paint.text import plain

NONE = "-"
_TIMES = ((1_000, "µs"), (1_000_000, "ms"), (1_000_000_000, "s"))
_SIZES = ("B", "KiB", "MiB", "GiB")


def figure(ns: int | None) -> str:
    """``0.9 µs``, ``92 µs``, ``1.3 ms``, ``2.5 s``; ``-`` for None."""
    if ns is None:
        return NONE
    for scale, unit in _TIMES:
        digits = _digits(abs(ns) / scale)
        if float(digits) < 1000 or unit == "s":
            return f"{'-' if ns < 0 and float(digits) else ''}{digits} {unit}"
    raise AssertionError("seconds take everything")


def lasted(ns: int, *, cut: bool) -> str:
    """How long something was watched: ``1.0 s``, or ``> 1.0 s`` where the watching was ``cut`` and not the thing."""
    return f"> {figure(ns)}" if cut else figure(ns)


def exact(ns: int) -> str:
    """As a cursor reads it out, to a tenth of a microsecond where that is short: ``335.2 µs``, ``1.278 ms``."""
    value = abs(ns)
    if value < 1_000_000:
        return f"{ns / 1e3:.1f} µs"
    return f"{ns / 1e6:.3f} ms" if value < 1_000_000_000 else f"{ns / 1e9:.4f} s"


def delta(now: int | None, then: int | None) -> str:
    """How much later (+) or earlier (-) it came than in the other run; what only one of them has is said."""
    if now is None or then is None:
        return "" if now is then else "was never" if then is None else f"was {figure(then)}"
    return f"{'+' if now >= then else '-'}{figure(abs(now - then))}"


def size(count: int) -> str:
    """Bytes: ``512 B``, ``1.2 KiB``, ``118 KiB``."""
    value, unit = float(count), "B"
    for unit in _SIZES:
        if value < 1000 or unit == _SIZES[-1]:
            break
        value /= 1024
    return f"{count if unit == 'B' else _digits(value)} {unit}"


def seconds(value: float | None) -> str:
    """A timeout as it is set: ``250 ms``, ``1.5 s``; ``none`` where it is off."""
    if value is None:
        return "none"
    scale, unit = (1.0, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
    return f"{value * scale:.6g} {unit}"


def residue_text(held: Mapping[str, int]) -> str:
    """``1 handler, 2 streams``; empty when nothing is held."""
    counts = ((count, plain(name)) for name, count in held.items() if count)
    return ", ".join(f"{count} {name.removesuffix('s') if count == 1 else name}" for count, name in counts)


def _digits(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
