"""The lane panel's state, and what keys make of it: lanes as tables, a cursor, and text that is being typed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from app import draft
from app.draft import Path, Table, name_of
from app.rows import Row, rows
from app.steps import STEPS, nudge, nudge_count
from probes.units import parse_duration, seconds_text

_TIMEOUTS = ("timeouts", "faults")
"""Where a time may be none."""

MOST_LANES = 9
"""As many as there are keys that cancel one."""


@dataclass(frozen=True, slots=True)
class Form:
    """``original``: what reset goes back to. ``path``: the value that the cursor is on. ``typed``: what is being typed
    in its place, None while nothing is."""

    tables: tuple[Table, ...]
    original: tuple[Table, ...]
    lane: int = 0
    path: Path = ("phase",)
    typed: str | None = None

    @property
    def table(self) -> Table:
        return self.tables[self.lane]

    @property
    def rows(self) -> list[Row]:
        return rows(self.table)

    @property
    def index(self) -> int:
        """Which row the cursor is on; where its value is gone, the row that took its place."""
        paths = [row.path for row in self.rows]
        if self.path in paths:
            return paths.index(self.path)
        before = [index for index, path in enumerate(paths) if path[:1] == self.path[:1]]
        return before[-1] if before else 2

    @property
    def row(self) -> Row:
        return self.rows[self.index]

    @property
    def names(self) -> list[str]:
        return [name_of(table) for table in self.tables]

    # --- moving ---------------------------------------------------------------------------------------

    def moved(self, by: int) -> Form:
        """The cursor ``by`` rows further; the first and the last are the ends."""
        found = self.rows
        return replace(self, path=found[max(0, min(self.index + by, len(found) - 1))].path, typed=None)

    def other_lane(self, by: int) -> Form:
        """The cursor on the same value of the next lane, or of the one before; round and round."""
        return replace(self, lane=(self.lane + by) % len(self.tables), typed=None)

    # --- changing -------------------------------------------------------------------------------------

    def stepped(self, direction: int) -> Form:
        """The value before or after in a list; a step of 1, 2 or 5 where it is a figure."""
        row = self.row
        if row.choices:
            return self._changed(row, row.choices[(row.chosen + direction) % len(row.choices)].value)
        if row.kind == "text":
            return self
        return self._changed(row, _next_figure(row, direction))

    def begun(self, text: str | None = None) -> Form:
        """Typing begins, with what is there or with ``text``; a value that is only chosen steps instead."""
        if self.row.choices and not self.row.free:
            return self.stepped(1)
        return replace(self, typed=self._shown() if text is None else text)

    def _shown(self) -> str:
        return "" if self.row.value is None else self.row.text

    def wrote(self, text: str) -> Form:
        return self if self.typed is None else replace(self, typed=self.typed + text)

    def rubbed(self) -> Form:
        return self if self.typed is None else replace(self, typed=self.typed[:-1])

    def taken(self) -> Form:
        """What was typed is the value; nothing takes it away."""
        if self.typed is None:
            return self
        return replace(self._changed(self.row, _value(self.row, self.typed.strip())), typed=None)

    def dropped(self) -> Form:
        """What was typed is forgotten."""
        return replace(self, typed=None)

    def _changed(self, row: Row, value: Any) -> Form:
        if row.path == ("protocol",):
            table = draft.renamed(self.tables, self.lane, str(value))
        else:
            table = draft.change(self.table, row.path, value)
        return self._with(table)

    def _with(self, table: Table) -> Form:
        return replace(self, tables=(*self.tables[: self.lane], table, *self.tables[self.lane + 1 :]))

    # --- lanes ----------------------------------------------------------------------------------------

    def added(self) -> Form:
        """One more lane, like the one that is looked at, with a name of its own; not more than there are keys."""
        if len(self.tables) >= MOST_LANES:
            return self
        name = draft.new_name(str(self.table["protocol"]), self.names)
        more = (*self.tables, draft.put(self.table, ("name",), name))
        return replace(self, tables=more, lane=len(more) - 1, typed=None)

    def removed(self) -> Form:
        """Without the lane that is looked at; the last one stays."""
        if len(self.tables) == 1:
            return self
        left = (*self.tables[: self.lane], *self.tables[self.lane + 1 :])
        return replace(self, tables=left, lane=min(self.lane, len(left) - 1), typed=None)

    def reset(self) -> Form:
        """All lanes as they were before anybody changed one."""
        return replace(self, tables=self.original, lane=min(self.lane, len(self.original) - 1), typed=None)


def _value(row: Row, text: str) -> Any:
    """What was typed as a table holds it. What is no number stays text: the check says what would be right."""
    if not text:
        return None
    for kind, read in (("count", int), ("number", float)):
        if row.kind == kind:
            try:
                return read(text)
            except ValueError:
                return text
    return text


def _next_figure(row: Row, direction: int) -> Any:
    """A step up or down. An option that is not set begins with the least, and is not set again below it."""
    if row.kind == "time":
        return _next_time(row, direction)
    if row.kind == "number":
        return _next_number(row.value, direction)
    if row.value is None and row.section == "options":
        return 1 if direction > 0 else None
    try:
        count = int(row.usual if row.value is None else row.value)
    except ValueError:
        count = 0
    if count <= 1 and direction < 0:
        return None if row.section == "options" else 1
    return nudge_count(count, direction)


def _next_number(value: Any, direction: int) -> float | None:
    if not isinstance(value, int | float):
        return STEPS[0] if direction > 0 else None
    if value <= STEPS[0] and direction < 0:
        return None
    return nudge(value, direction) or STEPS[-1]


def _next_time(row: Row, direction: int) -> str:
    try:
        seconds = parse_duration(row.text) if row.text else None
    except ValueError:
        return row.text
    if row.path[0] in _TIMEOUTS:
        return seconds_text(nudge(seconds, direction))
    if seconds is not None and seconds <= STEPS[0] and direction < 0:
        return "0s"
    return seconds_text(nudge(seconds, direction) or STEPS[-1])
