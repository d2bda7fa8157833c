"""The dialog in which the lanes of the next run are changed, value by value."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.events import Key

from app.actions import bindings
from app.draft import table_of
from app.laneform import Form
from app.paint.canvas import Canvas
from app.paint.lanes import paint_lanes, title
from app.screens.pages import Dialog
from app.settings import RunSettings
from app.widgets.board import Board


class LanesScreen(Dialog[RunSettings]):
    """Gives the settings with the changed lanes, or None when it was left without.

    ``settings``: of the next run; ``original``: the scenario's own, which reset goes back to; ``lane``: which one to
    begin with, from 0.
    """

    BINDINGS = bindings("lanes")

    def __init__(self, settings: RunSettings, original: RunSettings, lane: int) -> None:
        super().__init__()
        self._settings = settings
        tables, before = (tuple(map(table_of, each.lanes)) for each in (settings, original))
        self.form = Form(tables, before, min(lane, len(tables) - 1))
        self.board = Board(self._paint, lambda: title(self.form, original.scenario))
        self.problem = ""
        self._changed: RunSettings | None = None
        self._check()

    def compose(self) -> ComposeResult:
        yield self.board

    def _paint(self, columns: int, rows: int) -> Canvas:
        return paint_lanes(self.form, self.problem, self.hints("lanes"), columns, rows)

    def _show(self, form: Form) -> None:
        changed = form.tables != self.form.tables
        self.form = form
        if changed:
            self._check()
        self.board.redraw()

    def _check(self) -> None:
        """Whether a file that says the same would be right, and if not what is wrong with it."""
        from app.scenario import ScenarioError, amend

        self.problem, self._changed = "", None
        try:
            self._changed = amend(self.form.tables, self._settings)
        except ScenarioError as error:
            self.problem = str(error)

    # --- typing ---------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        if event.character is None or not event.is_printable:
            return
        figure = self.form.row.kind in ("time", "count", "number") and event.character.isdigit()
        if self.form.typed is not None:
            event.stop()
            self._show(self.form.wrote(event.character))
        elif figure:
            event.stop()
            self._show(self.form.begun(event.character))

    def action_type(self) -> None:
        self._show(self.form.begun() if self.form.typed is None else self.form.taken())

    def action_rub(self) -> None:
        self._show(self.form.rubbed())

    def action_close(self) -> None:
        """Leave; what is being typed is left first."""
        if self.form.typed is None:
            self.dismiss(None)
        else:
            self._show(self.form.dropped())

    # --- moving and stepping --------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self._show(self.form.moved(by))

    def action_step(self, direction: int) -> None:
        if self.form.typed is None:
            self._show(self.form.stepped(direction))

    def action_lane(self, by: int) -> None:
        self._show(self.form.other_lane(by))

    # --- lanes ----------------------------------------------------------------------------------------

    def action_add(self) -> None:
        self._show(self.form.added())

    def action_remove(self) -> None:
        self._show(self.form.removed())

    def action_reset(self) -> None:
        self._show(self.form.reset())

    def action_apply(self) -> None:
        if self._changed is not None and self.form.typed is None:
            self.dismiss(self._changed)
