"""The dialog that chooses the scenario of the next run."""

from __future__ import annotations

from collections.abc import Iterable

from textual.app import ComposeResult
from textual.events import Key, Paste

from app.actions import bindings
from app.chooser import Choosing
from app.library import Library
from app.paint.canvas import Canvas
from app.paint.chooser import paint_chooser, title
from app.screens.pages import Dialog
from app.widgets.board import Board


class ScenariosScreen(Dialog[str]):
    """Gives the key of the item that was chosen (``Library.get``), or None when it was left without a choice.

    ``current``: the one that is loaded; ``only``: the names of shipped scenarios to choose from, none: from all.
    """

    BINDINGS = bindings("scenarios")

    def __init__(self, library: Library, current: str, only: Iterable[str] = ()) -> None:
        super().__init__()
        self._library = library
        items = library.named(only) or library.items
        self.state = Choosing(items, len(library.items)).at(current)
        self.board = Board(self._paint, lambda: title(self.state))

    def compose(self) -> ComposeResult:
        yield self.board

    def _paint(self, columns: int, rows: int) -> Canvas:
        return paint_chooser(self.state, self.hints("scenarios"), columns, rows)

    def _show(self, state: Choosing) -> None:
        self.state = state
        self.board.redraw()

    # --- typing ---------------------------------------------------------------------------------------

    def on_key(self, event: Key) -> None:
        if event.character is not None and event.is_printable:
            event.stop()
            self._type(self.state.text + event.character)

    def on_paste(self, event: Paste) -> None:
        self._type(self.state.text + " ".join(event.text.split()))

    def action_rub(self, everything: int) -> None:
        self._type("" if everything else self.state.text[:-1])

    def _type(self, text: str) -> None:
        self._show(self.state.found(text, self._library.search(text)))

    # --- choosing -------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        self._show(self.state.moved(by))

    def action_page(self, direction: int) -> None:
        self._show(self.state.moved(direction * max(1, self.board.size.height // 2)))

    def action_load(self) -> None:
        item = self.state.item
        if item is not None and not item.problem:
            self.dismiss(item.key)
