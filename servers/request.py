"""What a client asks of a slow handler, checked: the same names and limits for gRPC fields and HTTP query keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from probes.schema import BUDGET_HEADER, LANE_HEADER, RUN_HEADER
from servers.behaviours import LONGEST_S, Behaviour, UnknownBehaviour, make_behaviour

_LARGEST_RUN = 2**31
_LONGEST_LANE = 64


class BadRequest(ValueError):
    """One line that says what is wrong and what would be right."""


class _Number(NamedTuple):
    kind: type[int] | type[float]
    low: float
    high: float
    unit: str


NUMBERS: dict[str, _Number] = {
    "delay": _Number(float, 0, LONGEST_S, "seconds"),
    "chunks": _Number(int, 1, 1_000_000, "chunks"),
    "size": _Number(int, 1, 1 << 20, "bytes"),
    "interval": _Number(float, 0, LONGEST_S, "seconds"),
    "linger": _Number(float, 0, LONGEST_S, "seconds"),
    "window": _Number(int, 0, 1 << 30, "bytes"),
}
BEHAVIOUR = "behaviour"
HTTP_ONLY = ("window",)
PARAMETERS = (*(name for name in NUMBERS if name not in HTTP_ONLY), BEHAVIOUR)
"""What both protocols take."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``delay``: seconds before the first chunk (or head); ``chunks`` of ``size`` bytes, and ``interval`` seconds
    after each of them; ``linger``: seconds more between the last one and the end. ``window``: bytes beyond HTTP/2's
    first window that an upload may send unread."""

    behaviour: Behaviour
    delay: float = 0.0
    chunks: int = 1000
    size: int = 1024
    interval: float = 0.02
    linger: float = 0.0
    window: int = 0


def read_asked(values: Mapping[str, str | float]) -> Asked:
    """Check ``values`` (names of ``PARAMETERS``; text or numbers). What is absent has its default.

    Raises BadRequest.
    """
    try:
        behaviour = make_behaviour(str(values.get(BEHAVIOUR, "")))
    except UnknownBehaviour as error:
        raise BadRequest(str(error)) from None
    asked = Asked(behaviour)
    numbers = {name: _number(name, values[name]) for name in NUMBERS if name in values}
    return Asked(
        behaviour,
        delay=numbers.get("delay", asked.delay),
        chunks=int(numbers.get("chunks", asked.chunks)),
        size=int(numbers.get("size", asked.size)),
        interval=numbers.get("interval", asked.interval),
        linger=numbers.get("linger", asked.linger),
        window=int(numbers.get("window", asked.window)),
    )


def _number(name: str, value: str | float) -> float:
    kind, low, high, unit = NUMBERS[name]
    try:
        number = kind(value)
    except ValueError:
        number = float("nan")
    # Not "number < low": a NaN is smaller than nothing.
    if not low <= number <= high:
        form = "a whole number of" if kind is int else "a number of"
        raise BadRequest(f"{name} must be {form} {unit} from {low:g} to {high:.0f}, not {str(value)[:40]!r}")
    return number


def read_attribution(headers: Mapping[str, str]) -> tuple[int, str]:
    """Run and lane as the request names them; (0, "") is a guest's."""
    text = headers.get(RUN_HEADER, "")
    run = int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0
    if not 0 < run < _LARGEST_RUN:
        return 0, ""
    return run, headers.get(LANE_HEADER, "")[:_LONGEST_LANE]


def read_budget(headers: Mapping[str, str]) -> float | None:
    """Seconds that are left of the caller's deadline, as the request says; None where it says nothing readable."""
    text = headers.get(BUDGET_HEADER, "")
    return int(text) / 1e3 if text.isascii() and text.isdigit() and len(text) < 8 else None
