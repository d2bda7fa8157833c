"""A grid of cells, each a character and a role, that becomes strips at the end.

Painters name roles, never colours: a palette (from the theme) turns roles into styles. Runs of equal roles are
found by a regular expression over the bytes of a row, so a frame costs little Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum, auto

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from app.paint.text import split, width


class Role(IntEnum):
    """What a cell means. The stylesheet has one class for each: ``role--running`` and so on."""

    TEXT = 0
    DIM = auto()
    FAINT = auto()
    FRAME = auto()
    TITLE = auto()
    STRONG = auto()
    BRAND = auto()
    LIVE = auto()
    REPLAY = auto()
    REC = auto()
    KEY = auto()
    ALERT = auto()
    SELECTED = auto()
    ZERO = auto()
    RUNNING = auto()
    DONE = auto()
    INTERRUPT = auto()
    CLEANUP = auto()
    ZOMBIE = auto()
    LIT_RUNNING = auto()
    LIT_DONE = auto()
    LIT_INTERRUPT = auto()
    LIT_CLEANUP = auto()
    LIT_ALERT = auto()
    LIT_TEXT = auto()


Palette = Mapping[Role, Style]

_RUNS = re.compile(rb"(.)\1*", re.DOTALL)


class Canvas:
    """``columns`` x ``rows`` cells. What falls outside is not drawn."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = max(0, columns), max(0, rows)
        self._chars = [[" "] * self.columns for _ in range(self.rows)]
        self._roles = [bytearray(self.columns) for _ in range(self.rows)]
        self._wide = False
        """Whether a character was written that is two cells wide: its second cell holds an empty string."""

    def put(self, x: int, y: int, text: str, role: Role = Role.TEXT) -> int:
        """Write ``text`` from column ``x``; returns the column after it."""
        cells = text if text.isascii() else split(text)
        end = x + len(cells)
        if not 0 <= y < self.rows:
            return end
        first, last = max(x, 0), min(end, self.columns)
        if first >= last:
            return end
        row = self._chars[y]
        row[first:last] = cells if end - x == last - first else cells[first - x : last - x]
        self._wide = self._wide or len(cells) > len(text)
        if self._wide:
            self._mend(row, first, last)
        self._roles[y][first:last] = bytes((role,)) * (last - first)
        return end

    def fill(self, x: int, end: int, y: int, char: str, role: Role) -> None:
        """``char`` in the columns from ``x`` up to ``end``."""
        if end > x:
            self.put(x, y, char * (end - x), role)

    def right(self, end: int, y: int, text: str, role: Role = Role.TEXT) -> int:
        """Write ``text`` so that it ends before column ``end``; returns its first column."""
        x = end - width(text)
        self.put(x, y, text, role)
        return x

    def paste(self, other: Canvas, x: int, y: int) -> None:
        """Copy all of ``other`` with its corner at ``x``, ``y``; it must fit in the width."""
        self._wide = self._wide or other._wide
        for line in range(min(other.rows, self.rows - y)):
            self._chars[y + line][x : x + other.columns] = other._chars[line]
            self._roles[y + line][x : x + other.columns] = other._roles[line]

    def repeat(self, y: int) -> None:
        """Make every row below ``y`` like it."""
        for line in range(y + 1, self.rows):
            self._chars[line][:] = self._chars[y]
            self._roles[line][:] = self._roles[y]

    def text(self, y: int) -> str:
        return "".join(self._chars[y])

    def char(self, x: int, y: int) -> str:
        """The character in a cell; a space outside."""
        return self._chars[y][x] if 0 <= y < self.rows and 0 <= x < self.columns else " "

    def role(self, x: int, y: int) -> Role:
        return Role(self._roles[y][x])

    def strips(self, palette: Palette, before: Canvas | None = None, drawn: Sequence[Strip] = ()) -> list[Strip]:
        """One strip a row. A row that is as in ``before``, whose strips are ``drawn``, keeps its strip."""
        styles = [palette[role] for role in Role]
        if before is None or before.columns != self.columns or before.rows != self.rows:
            drawn = ()
        strips: list[Strip] = []
        for y in range(self.rows):
            if drawn and before is not None and self._same(y, before, y):
                strips.append(drawn[y])
            elif y and self._same(y, self, y - 1):
                strips.append(strips[-1])
            else:
                strips.append(self._strip(y, styles))
        return strips

    def _same(self, y: int, other: Canvas, line: int) -> bool:
        return self._roles[y] == other._roles[line] and self._chars[y] == other._chars[line]

    def _strip(self, y: int, styles: list[Style]) -> Strip:
        # Slicing one string is cheaper than joining pieces, but only where a cell is a character.
        cells = self._chars[y] if self._wide else "".join(self._chars[y])
        roles = self._roles[y]
        segments = [
            Segment("".join(cells[start:end]) if self._wide else str(cells[start:end]), styles[roles[start]])
            for start, end in (match.span() for match in _RUNS.finditer(roles))
        ]
        return Strip(segments, self.columns)

    @staticmethod
    def _mend(row: list[str], first: int, last: int) -> None:
        """Leave no half of a character that is two cells wide."""
        if row[first] == "" and (first == 0 or width(row[first - 1]) < 2):
            row[first] = " "
        if first and width(row[first - 1]) > 1 and row[first] != "":
            row[first - 1] = " "
        if last < len(row) and row[last] == "" and width(row[last - 1]) < 2:
            row[last] = " "
        if width(row[last - 1]) > 1 and (last >= len(row) or row[last] != ""):
            row[last - 1] = " "
