"""A grid of cells, each a character and a role, that becomes strips at the end.

Painters name roles, never colours: a palette (from the theme) turns roles into styles. Runs of equal roles are
found by a regular expression over the bytes of a row, so a frame costs little Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import IntEnum, auto

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from app.paint.text import width


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

    def put(self, x: int, y: int, text: str, role: Role = Role.TEXT) -> int:
        """Write ``text`` from column ``x``; returns the column after it."""
        end = x + width(text)
        if not 0 <= y < self.rows or x >= self.columns or end <= 0:
            return end
        cells = list(text) if text.isascii() else _cells(text)
        first, last = max(x, 0), min(end, self.columns)
        if first >= last:
            return end
        row = self._chars[y]
        row[first:last] = cells[first - x : last - x]
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
        for line in range(min(other.rows, self.rows - y)):
            self._chars[y + line][x : x + other.columns] = other._chars[line]
            self._roles[y + line][x : x + other.columns] = other._roles[line]

    def text(self, y: int) -> str:
        return "".join(self._chars[y])

    def char(self, x: int, y: int) -> str:
        """The character in a cell; a space outside."""
        return self._chars[y][x] if 0 <= y < self.rows and 0 <= x < self.columns else " "

    def role(self, x: int, y: int) -> Role:
        return Role(self._roles[y][x])

    def strips(self, palette: Palette) -> list[Strip]:
        return [self._strip(y, palette) for y in range(self.rows)]

    def _strip(self, y: int, palette: Palette) -> Strip:
        chars = self._chars[y]
        segments = [
            Segment("".join(chars[match.start() : match.end()]), palette[Role(match.group(1)[0])])
            for match in _RUNS.finditer(self._roles[y])
        ]
        return Strip(segments, self.columns)

    @staticmethod
    def _mend(row: list[str], first: int, last: int) -> None:
        """Leave no half of a character that is two cells wide: its second cell holds an empty string."""
        if row[first] == "" and (first == 0 or width(row[first - 1]) < 2):
            row[first] = " "
        if first and width(row[first - 1]) > 1 and row[first] != "":
            row[first - 1] = " "
        if last < len(row) and row[last] == "" and width(row[last - 1]) < 2:
            row[last] = " "
        if width(row[last - 1]) > 1 and (last >= len(row) or row[last] != ""):
            row[last - 1] = " "


def _cells(text: str) -> list[str]:
    cells: list[str] = []
    for char in text:
        cells.append(char)
        cells.extend([""] * (width(char) - 1))
    return cells
