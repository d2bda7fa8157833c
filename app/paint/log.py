"""The log pane: who speaks, and what was said, each line whole; what was bad is marked."""

from __future__ import annotations

from collections.abc import Sequence

from app.logpane import Pane, is_bad
from app.paint.canvas import Canvas, Role
from app.paint.pages import Line, paint_lines
from app.paint.status import put_hints
from app.paint.text import fit, plain, wrap
from app.paint.view import Hint

_TIME, _WHO, _WHO_WHOLE = 11, 13, 22
"""Columns of the time and of the speaker, whose name is whole where there is room for it."""
_WIDE = 100
_TOP, _BOTTOM = 2, 2
"""Rows above and below what was said."""


def room(rows: int) -> int:
    """Rows of what was said in a pane of ``rows``."""
    return max(1, rows - _TOP - _BOTTOM)


def title(pane: Pane, columns: int, rows: int) -> tuple[str, str]:
    if pane.top is None:
        return "log", "follows"
    total = len(log_lines(pane, columns))
    return "log", f"{pane.top + 1} to {min(total, pane.top + room(rows))} of {total}, end follows"


def log_lines(pane: Pane, columns: int) -> list[Line]:
    """Every line that was said, in rows of ``columns``; times in seconds since the first one."""
    first = pane.log[0][0] if pane.log else 0
    names = _WHO_WHOLE if columns >= _WIDE else _WHO
    lines: list[Line] = []
    for t, who, text in pane.lines:
        bad = is_bad(text)
        head: Line = (
            (f"{(t - first) / 1e9:>{_TIME - 3}.3f} s", Role.DIM),
            (" ! " if bad else "   ", Role.ALERT),
            (f"{fit(plain(who), names - 1):<{names}}", Role.STRONG),
        )
        blank: Line = ((" " * (_TIME + 2 + names), Role.TEXT),)
        for number, row in enumerate(wrap(plain(text), max(16, columns - _TIME - names - 3)) or [""]):
            lines.append((*(blank if number else head), (row, Role.ALERT if bad else Role.TEXT)))
    return lines


def paint_log(pane: Pane, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    _paint_speakers(canvas, pane)
    lines = log_lines(pane, columns - 2) or [[("nothing was said yet", Role.DIM)]]
    high = room(rows)
    last = max(0, len(lines) - high)
    top = last if pane.top is None else min(pane.top, last)
    canvas.paste(paint_lines(lines, top, columns - 2, high), 1, _TOP)
    put_hints(canvas, rows - 1, hints)
    return canvas


def _paint_speakers(canvas: Canvas, pane: Pane) -> None:
    """As tabs; the chosen one has brackets, so that it is seen without colours."""
    x = 1
    for who in pane.speakers:
        word = f"{plain(who) or 'all'} {pane.count(who)}"
        chosen = who == pane.who
        x = canvas.put(x, 0, f"[{word}]" if chosen else f" {word} ", Role.STRONG if chosen else Role.DIM) + 1
