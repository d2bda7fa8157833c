"""Time to columns, logarithmic or linear. Times are ns after the trigger."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol

from app.paint.lens import CELLS, DECADES, FIRST_NS

_NEAR = 2
"""Columns of a logarithmic axis for what is before its first decade."""
_ROOMY = 24
"""Columns a decade from which 2 and 5 have a line of their own."""


class Axis(Hashable, Protocol):
    """``left`` and ``right``: first column and the one after the last. ``zero``: the trigger's column; ``left - 1`` or
    ``right`` where it is on neither."""

    @property
    def left(self) -> int: ...

    @property
    def zero(self) -> int: ...

    @property
    def right(self) -> int: ...

    def column(self, ns: int) -> int:
        """The column of an instant, never outside."""

    def time(self, column: int) -> int:
        """The instant in the middle of a column."""

    def side(self, ns: int) -> int:
        """-1 or 1 for what is beyond the left or the right end, 0 for what can be seen."""

    def ticks(self) -> Iterator[tuple[int, str]]:
        """(column, label) of the graticule; labels are empty where they would touch."""


def tick(ns: int) -> str:
    """``10µs``, ``1.2ms``, ``-2s``."""
    size = abs(ns)
    scale, unit = (1e9, "s") if size >= 1e9 else (1e6, "ms") if size >= 1e6 else (1e3, "µs")
    return f"{ns / scale:.6g}{unit}"


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A linear stretch of ``before`` ns up to the trigger, then ``decades`` from ``first`` ns on.

    What is before the first decade has a few columns of its own, because a logarithm has no zero.
    """

    left: int
    zero: int
    right: int
    before: int
    first: int = FIRST_NS
    decades: int = DECADES

    @classmethod
    def over(cls, left: int, right: int, before: int, first: int = FIRST_NS, decades: int = DECADES) -> LogAxis:
        """The columns shared out: a sixth before the trigger, but enough to see that something ran."""
        track = right - left
        return cls(left, left + max(4, min(24, track // 6)), right, max(1, before), first, decades)

    @property
    def decade(self) -> float:
        """Columns a decade."""
        return (self.right - 1 - self.zero - _NEAR) / self.decades

    def column(self, ns: int) -> int:
        if ns < 0:
            stretch = self.zero - self.left
            return max(self.left, self.zero - max(1, round(-ns / self.before * stretch)))
        if ns < self.first:
            return self.zero + ns * _NEAR // self.first
        return min(self.right - 1, self.zero + _NEAR + round(math.log10(ns / self.first) * self.decade))

    def time(self, column: int) -> int:
        if column < self.zero:
            return -round((self.zero - column) / (self.zero - self.left) * self.before)
        beyond = column - self.zero - _NEAR
        return round(
            (column - self.zero) / _NEAR * self.first if beyond < 0 else self.first * 10 ** (beyond / self.decade)
        )

    def side(self, ns: int) -> int:
        # What is beyond the widest axis stands at its end.
        return int(self.decades < DECADES and ns > self.first * 10**self.decades)

    def ticks(self) -> Iterator[tuple[int, str]]:
        free = self.zero + 1
        for ns in self._marks():
            column, label = self.column(ns), tick(ns)
            # The last label stands left of its tick, inside the screen.
            start = min(column, self.right - len(label))
            yield column, label if start >= free else ""
            if start >= free:
                free = start + len(label) + 1

    def _marks(self) -> Iterator[int]:
        for power in range(self.decades + 1):
            for step in (1, 2, 5) if self.decade >= _ROOMY and power < self.decades else (1,):
                yield self.first * 10**power * step


@dataclass(frozen=True, slots=True)
class LinearAxis:
    """``per_div`` ns a division of ``CELLS`` columns, ``start`` at the first one."""

    left: int
    right: int
    per_div: int
    start: int

    @property
    def zero(self) -> int:
        return {-1: self.left - 1, 0: self.column(0), 1: self.right}[self.side(0)]

    def _at(self, ns: int) -> int:
        return self.left + (ns - self.start) * CELLS // self.per_div

    def column(self, ns: int) -> int:
        return min(max(self._at(ns), self.left), self.right - 1)

    def time(self, column: int) -> int:
        return self.start + ((column - self.left) * 2 + 1) * self.per_div // (2 * CELLS)

    def side(self, ns: int) -> int:
        at = self._at(ns)
        return -1 if at < self.left else int(at >= self.right)

    def ticks(self) -> Iterator[tuple[int, str]]:
        number = -(-self.start // self.per_div)
        while (column := self._at(number * self.per_div)) < self.right:
            label = tick(number * self.per_div) if number else ""
            yield column, label if column + len(label) <= self.right else ""
            number += 1
