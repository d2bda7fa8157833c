"""The marks of a row and the few words beside them: placed by time, never over one another.

Marks in one column are a tie: they stand side by side, in order. Words go right of their mark up to the next one;
where there is no room they wait for the next mark, where the most important come first. Behind the last mark, where
the axis ends, they stand left of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain, width
from app.paint.units import figure
from probes.events import TO_CLIENT, TO_SERVER
from probes.state import Mark, Moment

GLYPHS: dict[Moment, tuple[str, str]] = {
    Moment.DONE: ("◆", "◇"),
    Moment.INTERRUPT: ("■", "□"),
    Moment.CLEANUP: ("●", "○"),
}
"""Filled when it was seen, hollow when only a library says so."""

ROLES = {Moment.DONE: Role.DONE, Moment.INTERRUPT: Role.INTERRUPT, Moment.CLEANUP: Role.CLEANUP}
_RANK = {Moment.INTERRUPT: 0, Moment.DONE: 1, Moment.CLEANUP: 2}
_SHORTEST = 6
_ENOUGH = 14
"""Words of which fewer cells than this can be shown wait for the next mark."""
SEPARATOR = " · "


@dataclass(frozen=True, slots=True)
class Placed:
    """A mark in its column. ``at``: ns after the trigger."""

    mark: Mark
    column: int
    seen: bool
    at: int


Words = tuple[Moment, str, str]
"""Whose, what, and its figure."""


def short(evidence: str) -> str:
    """Evidence as it stands in a row: directions as arrows."""
    return plain(evidence).replace(TO_SERVER, "→").replace(TO_CLIENT, "←")


def place(marks: Sequence[tuple[Mark, bool]], axis: Axis, zero: int) -> list[Placed]:
    """``marks`` with whether each was seen, in the order of time, to columns of their own."""
    columns: list[int] = []
    for mark, _ in marks:
        wanted = axis.column(mark.t - zero)
        columns.append(max(wanted, columns[-1] + 1) if columns else wanted)
    for index in range(len(columns) - 1, -1, -1):
        columns[index] = min(columns[index], axis.right - len(columns) + index)
    return [Placed(mark, column, seen, mark.t - zero) for (mark, seen), column in zip(marks, columns, strict=True)]


def draw(canvas: Canvas, y: int, placed: Sequence[Placed], axis: Axis) -> None:
    """Words first, then the marks, which nothing may cover."""
    waiting: list[Words] = []
    for index, each in enumerate(placed):
        last = index + 1 == len(placed)
        waiting.append(_words(each))
        room = (axis.right if last else placed[index + 1].column - 1) - each.column - 2
        if last:
            _last_words(canvas, y, waiting, each, placed, axis, room)
        elif room >= min(_ENOUGH, _length(waiting)):
            _write(canvas, each.column + 1, y, waiting, room, closing=True)
            waiting = []
    for each in placed:
        canvas.put(each.column, y, GLYPHS[each.mark.moment][not each.seen], ROLES[each.mark.moment])


def _words(each: Placed) -> Words:
    says = "" if each.seen or each.mark.moment is not Moment.DONE else "says "
    return each.mark.moment, says + short(each.mark.evidence), figure(each.at) if each.at else ""


def _last_words(
    canvas: Canvas, y: int, words: list[Words], last: Placed, placed: Sequence[Placed], axis: Axis, room: int
) -> None:
    needed = _length(words)
    cluster = _cluster_start(placed)
    before = max((each.column for each in placed if each.column < cluster), default=axis.zero)
    if needed > room and cluster - before - 4 >= needed:
        _write(canvas, cluster - needed - 2, y, words, needed, closing=True)
    elif room >= 3:
        _write(canvas, last.column + 1, y, words, room, closing=False)


def _cluster_start(placed: Sequence[Placed]) -> int:
    """The first column of the marks that share the last mark's words."""
    first = placed[-1].column
    for each in reversed(placed[:-1]):
        if first - each.column - 3 >= min(_ENOUGH, _length([_words(each)])):
            break
        first = each.column
    return first


def _length(words: Sequence[Words]) -> int:
    words = [each for each in words if each[1]]
    return sum(width(text) for _, text, _ in words) + len(SEPARATOR) * (len(words) - 1)


def _write(canvas: Canvas, x: int, y: int, words: Sequence[Words], room: int, *, closing: bool) -> None:
    """``words`` from column ``x`` after a space, the most important first where not all fit."""
    words = [each for each in words if each[1]]
    if not words:
        return
    # Of two interrupts the later one is the one that really stopped it.
    ordered = words if _length(words) <= room else sorted(reversed(words), key=lambda each: _RANK[each[0]])
    figures = _length(words) + sum(width(at) + 2 for _, _, at in words) <= room
    end = room + x + 1
    x = canvas.put(x, y, " ")
    for index, (moment, text, at) in enumerate(ordered):
        if index:
            if end - x < len(SEPARATOR) + _SHORTEST:
                break
            x = canvas.put(x, y, SEPARATOR, Role.DIM)
        x = canvas.put(x, y, fit(text, end - x), ROLES[moment])
        if figures and at:
            x = canvas.put(x, y, f"  {at}", Role.DIM)
    if closing:
        canvas.put(x, y, " ")
