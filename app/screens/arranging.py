"""Which panels a main screen has, and how high they are: by its size and by what there is to show."""

from __future__ import annotations

from textual.screen import Screen

from app.paint import guests, stage, timeline, timeouts
from app.paint.frame import Chrome
from app.paint.status import is_small
from app.paint.view import View

WIDE, _HIGH = 100, 36
"""From so many columns on the panels at the side are there by themselves; from so many rows on they have boxes."""
_TALL = 46
"""From so many rows on the evidence has a panel of its own."""
_LEAST = 12
"""Rows that must be left below the machine for the evidence to have them."""


def arrange(screen: Screen[None], view: View, *, side: bool | None, staged: bool) -> Chrome:
    """Give every panel its place, or none, by the size of the screen; the frame that panels have there.

    ``side``: whether somebody asked for the panels at the side, None: as the width has it; ``staged``: whether the
    machine has the whole screen.
    """
    columns, rows = screen.size
    screen.set_class(is_small(columns, rows), "-small")
    screen.query_one("#side").display = columns >= WIDE if side is None else side
    chrome: Chrome = "box" if rows >= _HIGH and columns >= WIDE else "rule" if rows >= 30 else "bare"
    lanes = len(view.run.lanes) or len(view.settings.lanes)
    board = screen.query_one("#scoreboard")
    board.display = view.run.started is not None
    extra = {"box": 4, "rule": 2, "bare": 1}[chrome] + (rows >= _TALL)
    board.styles.height = lanes + extra + (rows >= _TALL and view.reference is not None)
    tall = rows >= _TALL and view.run.started is not None
    screen.query_one("#evidence").display = tall
    screen.query_one("#timeline").display = True
    screen.query_one("#timeline").styles.height = timeline.height(view) + 2 if tall else "1fr"
    screen.query_one("#timeouts").styles.height = timeouts.height(view, rows * 3 // 5)
    screen.query_one("#guests").styles.height = guests.height(view)
    screen.query_one("#guests").display = bool(view.session.guests)
    screen.query_one("#timeouts").display = not view.session.guests
    _arrange_stage(screen, view, staged)
    return chrome


def _arrange_stage(screen: Screen[None], view: View, staged: bool) -> None:
    """The machine instead of everything else but the evidence, which has what it leaves of a high screen."""
    panel, rest = screen.query_one("#stage"), screen.size.height - stage.ideal(view)
    panel.display = staged
    if not staged:
        return
    for other in ("#side", "#timeline", "#scoreboard"):
        screen.query_one(other).display = False
    below = rest > _LEAST and view.run.started is not None
    panel.styles.height = stage.ideal(view) + 2 if below else "1fr"
    screen.query_one("#evidence").display = below
