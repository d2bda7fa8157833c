"""Values as on an oscilloscope's knob: steps of 1, 2 and 5, and times as people type them. Pure."""

from __future__ import annotations

from probes.units import parse_duration

STEPS: tuple[float, ...] = tuple(
    mantissa * 10.0**power for power in range(-3, 3) for mantissa in (1, 2, 5) if mantissa * 10.0**power <= 100
)
"""1-2-5 steps from 1 ms to 100 s, as on an oscilloscope."""

COUNTS: tuple[int, ...] = tuple(mantissa * 10**power for power in range(7) for mantissa in (1, 2, 5))[:-2]
"""The same for what is counted."""


def nudge(seconds: float | None, direction: int) -> float | None:
    """The next step above (+1) or below (-1) ``seconds``. Above the last there is none: it is off; below off comes
    the last."""
    if seconds is None:
        return None if direction > 0 else STEPS[-1]
    if direction > 0:
        return next((step for step in STEPS if step > seconds * 1.000001), None)
    return next((step for step in reversed(STEPS) if step < seconds * 0.999999), STEPS[0])


def nudge_count(count: int, direction: int) -> int:
    """The next step above or below ``count``; the first and the last are the ends."""
    if direction > 0:
        return next((step for step in COUNTS if step > count), COUNTS[-1])
    return next((step for step in reversed(COUNTS) if step < count), COUNTS[0])


def parse(text: str) -> float | None:
    """Seconds, or None for off (also when empty). Raises ValueError whose text says what would be right."""
    seconds = parse_duration(text) if text.strip() else None
    if seconds is not None and seconds <= 0:
        raise ValueError("a timeout must be above 0; none switches it off")
    return seconds
