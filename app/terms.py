"""What ``[expect]`` says of one mark, time or count, read from its text. Pure: no clock, no state.

A bound is an operator and a value: ``<= 50ms``, ``>= 1``. Of a mark one may also say ``present``, ``absent``, a text
that its evidence contains (``A | B``: one of them), or ``not TEXT`` for one that it does not.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from probes.units import parse_duration

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
"""The longer ones first: ``<`` begins them."""

CHUNKS = ("accepted", "on_wire", "read")
"""The three counters of a partial response."""

_BOUND = re.compile(rf"({'|'.join(OPERATORS)})\s*(.+)")
_RELATION = re.compile(rf"(\w+)\s*({'|'.join(OPERATORS)})\s*(\w+)")
_LARGEST = 10**12


@dataclass(frozen=True, slots=True)
class Bound:
    """``op`` and ``value`` (ns of a time, or a count); ``text`` as it stands in the file."""

    op: str
    value: float
    text: str

    def holds(self, got: float) -> bool:
        return OPERATORS[self.op](got, self.value)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is said of a mark. ``words``: texts of which its evidence contains one, or lacks all."""

    kind: Literal["present", "absent", "contains", "lacks", "bound"]
    text: str
    words: tuple[str, ...] = ()
    bound: Bound | None = None

    def found_in(self, evidence: str) -> bool:
        return any(text in evidence for text in self.words)


@dataclass(frozen=True, slots=True)
class Relation:
    """``left op right`` between two of ``CHUNKS``, or one of them and a number."""

    left: str
    op: str
    right: str | int
    text: str


@dataclass(frozen=True, slots=True)
class Order:
    """One path after the other; ``text`` as it stands in the file."""

    paths: tuple[str, ...]
    text: str


def time_bound(text: str) -> Bound:
    """``<= 50ms``. Raises ValueError, which says what would be right."""
    match = _BOUND.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'{_shown(text)} is no bound: write "<= 50ms" or ">= 1s"')
    seconds = parse_duration(match[2])
    if seconds is None:
        raise ValueError(f'{_shown(text)} bounds nothing: leave it out, or write "absent"')
    return Bound(match[1], round(seconds * 1e9), text.strip())


def count_bound(value: int | str) -> Bound:
    """A number is exactly it; text is like ``>= 1``. Raises ValueError."""
    if isinstance(value, int):
        return Bound("==", _count(str(value)), str(value))
    match = _BOUND.fullmatch(value.strip())
    if match is None:
        raise ValueError(f'{_shown(value)} is no bound of a count: write a number, or like ">= 1"')
    return Bound(match[1], _count(match[2].strip()), value.strip())


def term(text: str) -> Term:
    """What is said of a mark. Raises ValueError."""
    plain = text.strip()
    if plain == "present":
        return Term("present", plain)
    if plain == "absent":
        return Term("absent", plain)
    if plain.startswith(("<", ">", "=")):
        return Term("bound", plain, bound=time_bound(plain))
    lacks = plain.startswith("not ")
    words = tuple(part.strip() for part in plain.removeprefix("not ").split("|"))
    if not all(words):
        raise ValueError('say "present", "absent", a bound like "<= 50ms", or words of the evidence like "FIN | RST"')
    return Term("lacks" if lacks else "contains", plain, words)


def relation(text: str) -> Relation:
    """``accepted >= read`` or ``read == 0``. Raises ValueError."""
    match = _RELATION.fullmatch(text.strip())
    if match is None or match[1] not in CHUNKS or not (match[3] in CHUNKS or match[3].isdecimal()):
        names = ", ".join(CHUNKS)
        raise ValueError(f'{_shown(text)} is no relation of {names}: write "accepted >= read" or "read == 0"')
    right = match[3] if match[3] in CHUNKS else _count(match[3])
    return Relation(match[1], match[2], right, text.strip())


def order(text: str) -> Order:
    """``client.done < wire.interrupt``, or more of them in a row. Raises ValueError."""
    paths = tuple(part.strip() for part in text.split("<"))
    if len(paths) < 2 or not all(paths):
        raise ValueError(f'{_shown(text)} is no order: write "client.done < wire.interrupt"')
    return Order(paths, text.strip())


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 13):
        raise ValueError(f"{_shown(text)} is no count: a whole number is needed, 0 or above, below {_LARGEST:,}")
    return int(text)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
