"""Time to columns: a linear stretch up to the trigger, then six decades from 10 us to 10 s.

The first 10 us after the trigger have a few columns of their own, because a logarithm has no zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

_FIRST_NS = 10_000
_DECADES = 6
_NEAR = 2
"""Columns for 0 to 10 us."""

LABELS = ("10µs", "100µs", "1ms", "10ms", "100ms", "1s", "10s")


@dataclass(frozen=True, slots=True)
class Axis:
    """``left`` and ``right``: first column and the one after the last. ``zero``: the trigger's column.

    ``before``: how many ns the linear stretch left of zero stands for.
    """

    left: int
    zero: int
    right: int
    before: int

    @classmethod
    def over(cls, left: int, right: int, before: int) -> Axis:
        """The columns shared out: a sixth before the trigger, but enough to see that something ran."""
        track = right - left
        return cls(left, left + max(4, min(24, track // 6)), right, max(1, before))

    @property
    def decade(self) -> float:
        """Columns a decade."""
        return (self.right - 1 - self.zero - _NEAR) / _DECADES

    def column(self, ns: int) -> int:
        """The column of an instant ``ns`` after the trigger (negative: before it), never outside."""
        if ns < 0:
            stretch = self.zero - self.left
            return max(self.left, self.zero - max(1, round(-ns / self.before * stretch)))
        if ns < _FIRST_NS:
            return self.zero + ns * _NEAR // _FIRST_NS
        return min(self.right - 1, self.zero + _NEAR + round(math.log10(ns / _FIRST_NS) * self.decade))

    def ticks(self) -> Iterator[tuple[int, str]]:
        """(column, label) of every power of ten; labels are empty where they would touch."""
        free = self.zero + 1
        for power, label in enumerate(LABELS):
            column = self.zero + _NEAR + round(power * self.decade)
            # The last label stands left of its tick, inside the screen.
            start = min(column, self.right - len(label))
            yield column, label if start >= free else ""
            if start >= free:
                free = start + len(label) + 1
