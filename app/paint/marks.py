"""The marks of a row and the few words beside them: placed by time, never over one another.

Marks in one column are a tie: they stand side by side, in order. Words go right of their mark up to the next one;
where there is no room they wait for the next mark, where the most important come first. Behind the last mark, where
the axis ends, they stand left of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.paint.axis import Axis
from app.paint.canvas import Canvas, Role
from app.paint.text import fit, plain, width
from app.paint.units import figure
from probes.events import TO_CLIENT, TO_SERVER, Layer
from probes.state import Mark, Moment

GLYPHS: dict[Moment, tuple[str, str]] = {
    Moment.DONE: ("◆", "◇"),
    Moment.INTERRUPT: ("■", "□"),
    Moment.CLEANUP: ("●", "○"),
}
"""Filled when it was seen, hollow when only a library says so."""

LIT = {
    Role.DONE: Role.LIT_DONE,
    Role.INTERRUPT: Role.LIT_INTERRUPT,
    Role.CLEANUP: Role.LIT_CLEANUP,
    Role.ZERO: Role.LIT_DONE,
}
"""A mark that a cursor is on, or that has just come in slow motion."""

ROLES = {Moment.DONE: Role.DONE, Moment.INTERRUPT: Role.INTERRUPT, Moment.CLEANUP: Role.CLEANUP}
TRIGGER = "▾"
TIE = "≈"
BEFORE, BEYOND = "‹", "›"
"""At an end of the row: marks that are beyond it stand beside this."""
_RANK = {Moment.INTERRUPT: 1, Moment.DONE: 2, Moment.CLEANUP: 3}
"""Which words are worth most when not all fit; a lane's own trigger comes before them all."""

_SHORTEST = 6
_ENOUGH = 12
"""Words of which fewer cells than this can be shown wait for the next mark."""
SEPARATOR = " · "


class Shown(NamedTuple):
    """A mark of a row. ``trigger``: the lane's own timer, which stands at zero with its cause. ``fresh``: it has just
    come, and flashes with its words. ``tied``: when the mark was (ns) that it makes a tie with."""

    mark: Mark
    layer: Layer = ""
    seen: bool = True
    trigger: bool = False
    fresh: bool = False
    tied: int | None = None

    @property
    def glyph(self) -> str:
        return TRIGGER if self.trigger else GLYPHS[self.mark.moment][not self.seen]

    @property
    def role(self) -> Role:
        role = Role.ZERO if self.trigger else ROLES[self.mark.moment]
        return LIT[role] if self.fresh else role


class Placed(NamedTuple):
    """A mark in its column. ``at``: ns after the trigger; ``side``: beyond which end of the axis it is, 0 for none."""

    shown: Shown
    column: int
    at: int
    side: int = 0


class Words(NamedTuple):
    """What stands beside a mark. ``figure``: its time after the trigger, where there is room for that too; ``brief``:
    what tells it apart, where there is too little."""

    rank: int
    role: Role
    text: str
    figure: str
    brief: str


def short(evidence: str) -> str:
    """Evidence as it stands in a row: directions as arrows."""
    return plain(evidence).replace(TO_SERVER, "→").replace(TO_CLIENT, "←")


def brief(evidence: str) -> str:
    """The frame or the SQLSTATE alone."""
    return plain(evidence).replace(f"{TO_SERVER} ", "").replace(f"{TO_CLIENT} ", "").replace("ErrorResponse ", "")


def place(marks: Sequence[Shown], axis: Axis, zero: int) -> list[Placed]:
    """``marks`` in the order of time, to columns of their own; what is beyond an end stands at it."""
    times = [shown.mark.t - zero for shown in marks]
    sides = [axis.side(at) for at in times]
    columns: list[int] = []
    for at, side in zip(times, sides, strict=True):
        wanted = axis.column(at) + (side < 0)
        columns.append(max(wanted, columns[-1] + 1) if columns else wanted)
    end = axis.right - (1 in sides)
    for index in range(len(columns) - 1, -1, -1):
        columns[index] = min(columns[index], end - len(columns) + index)
    return [Placed(*each) for each in zip(marks, columns, times, sides, strict=True)]


def draw(canvas: Canvas, y: int, placed: Sequence[Placed], axis: Axis) -> None:
    """Words first, then the marks, which nothing may cover. Marks beyond an end have words only where no other has."""
    for each in placed:
        _band(canvas, y, each, axis)
    inside = [each for each in placed if not each.side]
    _all_words(canvas, y, inside or placed, axis, placed)
    for each in placed:
        if each.shown.tied is not None and not each.side:
            canvas.put(each.column - 1, y, TIE, each.shown.role)
    for each in placed:
        canvas.put(each.column, y, each.shown.glyph, each.shown.role)
    if placed and placed[0].side < 0:
        canvas.put(axis.left, y, BEFORE, placed[0].shown.role)
    if placed and placed[-1].side > 0:
        canvas.put(axis.right - 1, y, BEYOND, placed[-1].shown.role)


def _band(canvas: Canvas, y: int, each: Placed, axis: Axis) -> None:
    """Where the order of a mark and the one in front of it is not known."""
    if each.shown.tied is not None and not each.side:
        first = axis.column(each.at - (each.shown.mark.t - each.shown.tied))
        canvas.fill(first, each.column, y, TIE, each.shown.role)


def _all_words(canvas: Canvas, y: int, placed: Sequence[Placed], axis: Axis, rest: Sequence[Placed]) -> None:
    waiting: list[Words] = []
    first = free = max(axis.zero, axis.left)
    end = min((each.column for each in rest if each.side > 0 and each not in placed), default=axis.right)
    for index, each in enumerate(placed):
        first = first if waiting else each.column
        waiting += _words(each)
        if index + 1 == len(placed):
            _last_words(canvas, y, waiting, (first, each.column), free, end)
        elif (room := placed[index + 1].column - each.column - 3) >= min(_ENOUGH, _length(waiting)):
            _write(canvas, each.column + 1, y, waiting, room, closing=True)
            waiting, free = [], placed[index + 1].column - 1


def _words(each: Placed) -> list[Words]:
    mark, seen, trigger = each.shown.mark, each.shown.seen, each.shown.trigger
    if not mark.evidence:
        return []
    says = "" if seen or mark.moment is not Moment.DONE else "says "
    rank = 0 if trigger else _RANK[mark.moment]
    at = "" if trigger else figure(each.at)
    return [Words(rank, each.shown.role, says + short(mark.evidence), at, says + brief(mark.evidence))]


def _last_words(canvas: Canvas, y: int, words: list[Words], cluster: tuple[int, int], free: int, end: int) -> None:
    """Right of the last mark; left of the marks they belong to when there they fit and right of them they do not."""
    needed, room = _length(words), end - cluster[1] - 2
    if needed > room and cluster[0] - free - 4 >= needed:
        _write(canvas, cluster[0] - needed - 2, y, words, needed, closing=True)
    elif room >= 3:
        _write(canvas, cluster[1] + 1, y, words, room, closing=False)


def _length(words: Sequence[Words]) -> int:
    return sum(width(each.text) for each in words) + len(SEPARATOR) * (len(words) - 1)


def _write(canvas: Canvas, x: int, y: int, words: Sequence[Words], room: int, *, closing: bool) -> None:
    """``words`` from column ``x`` after a space, the most important first where not all fit."""
    if not words:
        return
    figures = _length(words) + sum(width(each.figure) + 2 for each in words) <= room
    if _length(words) > room and len(words) > 1:
        words = [each._replace(text=each.brief) for each in words]
    if _length(words) > room:
        # Of two interrupts the later one is the one that really stopped it.
        words = [each for _, each in sorted(enumerate(words), key=lambda pair: (pair[1].rank, -pair[0]))]
    end = room + x + 1
    x = canvas.put(x, y, " ")
    for index, each in enumerate(words):
        if index:
            if end - x < len(SEPARATOR) + _SHORTEST:
                break
            x = canvas.put(x, y, SEPARATOR, Role.DIM)
        x = canvas.put(x, y, fit(each.text, end - x), each.role)
        if figures and each.figure:
            x = canvas.put(x, y, f"  {each.figure}", Role.DIM)
    if closing:
        canvas.put(x, y, " ")
