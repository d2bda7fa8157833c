"""One question with two answers."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding

from app.paint.canvas import Role
from app.screens.pages import Dialog, Reader


class ConfirmScreen(Dialog[bool]):
    """``y`` or ``enter`` is yes; ``n`` or ``escape`` is no."""

    BINDINGS: ClassVar = [Binding("y,enter", "answer(True)", "yes"), Binding("n", "answer(False)", "no")]

    def __init__(self, question: str, yes: str, no: str) -> None:
        super().__init__()
        self.reader = Reader(
            [
                [(question, Role.STRONG)],
                [],
                [("y ", Role.KEY), (yes, Role.TEXT), ("   n ", Role.KEY), (no, Role.TEXT)],
            ],
            "quit",
        )

    def compose(self) -> ComposeResult:
        yield self.reader

    def on_mount(self) -> None:
        self.reader.styles.height = 5
        self.reader.styles.width = 56

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
