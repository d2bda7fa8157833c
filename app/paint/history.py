"""The history of runs: a line each, and below it the chosen one against another and against all that are alike."""

from __future__ import annotations

from collections.abc import Sequence

from app.chronicle import Chronicle
from app.paint.canvas import Canvas, Role
from app.paint.scoreboard import VERDICTS
from app.paint.status import put_hints
from app.paint.strip import ends, paint_strip
from app.paint.text import fit, plain, width
from app.paint.units import NONE, delta, figure
from app.paint.view import Hint
from probes.history import Entry, LaneEntry, spread, values

_ROLES = (Role.DONE, Role.INTERRUPT, Role.CLEANUP)
_NAMES = ("◆ Done", "■ I/O", "● cleanup")
PIN = "▪"
_SHORT = {"claimed, not seen": "claimed", "not cancelled": "not canc.", "phase missed": "missed"}


def title(chronicle: Chronicle) -> tuple[str, str]:
    looking = f"looking at {chronicle.left} more · " if chronicle.left else ""
    return "history", f"{looking}{len(chronicle.entries)} runs"


def paint_history(chronicle: Chronicle, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    """The list above, the comparison of the chosen run below, as high as its lanes need."""
    canvas = Canvas(columns, rows)
    chosen = chronicle.chosen
    put_hints(canvas, rows - 1, hints)
    if chosen is None:
        canvas.put(1, 1, "no run yet", Role.DIM)
        return canvas
    below = min(_needs(chosen, rows), max(0, rows - 6))
    _paint_list(canvas, chronicle, rows - 2 - below)
    _paint_comparison(canvas, chronicle, chosen, rows - 1 - below, below)
    return canvas


def _needs(chosen: Entry, rows: int) -> int:
    """Rows of the comparison: two heads, and three rows a lane, or as many lanes as half of the page holds."""
    lanes = max(1, min(len(chosen.lanes), (rows // 2 - 2) // 3 or 1))
    return 2 + 3 * lanes


# --- the list -----------------------------------------------------------------------------------------


def _paint_list(canvas: Canvas, chronicle: Chronicle, rows: int) -> None:
    wide = canvas.columns
    names = min(30, max(14, wide // 5))
    causes = 5 + names + 1
    verdicts = causes + min(26, max(12, wide // 6)) + 1
    for x, head in ((1, "run"), (6, "scenario"), (causes + 1, "trigger"), (verdicts + 1, "verdict of each lane")):
        canvas.put(x, 0, head, Role.DIM)
    newest = list(reversed(chronicle.entries))
    chosen = chronicle.chosen
    assert chosen is not None
    at = newest.index(chosen)
    top = max(0, min(at - (rows - 2) // 2, len(newest) - (rows - 1)))
    for y, each in enumerate(newest[top : top + rows - 1], start=1):
        if each is chosen:
            canvas.put(0, y, "▌", Role.SELECTED)
        role = Role.STRONG if each is chosen else Role.TEXT
        canvas.right(5, y, str(each.run), role)
        if each.run == chronicle.pinned:
            canvas.put(5, y, PIN, Role.KEY)
        canvas.put(6, y, fit(plain(each.scenario), causes - 6), role)
        canvas.put(causes + 1, y, fit(plain(each.cause) or NONE, verdicts - causes - 1), Role.DIM)
        _paint_verdicts(canvas, verdicts + 1, y, each)


def _paint_verdicts(canvas: Canvas, x: int, y: int, run: Entry) -> None:
    if run.outcome == "aborted":
        canvas.put(x, y, "aborted", Role.ALERT)
        return
    for index, lane in enumerate(run.lanes):
        word = _SHORT.get(lane.verdict, lane.verdict)
        if index and x + width(word) + 4 > canvas.columns:
            canvas.put(x, y, f"+{len(run.lanes) - index}", Role.DIM)
            return
        x = canvas.put(x, y, f"{index + 1} ", Role.DIM)
        x = canvas.put(x, y, word, VERDICTS.get(lane.verdict, Role.TEXT)) + 2


# --- one run against others ---------------------------------------------------------------------------


def _paint_comparison(canvas: Canvas, chronicle: Chronicle, chosen: Entry, y: int, rows: int) -> None:
    other, among = chronicle.reference, chronicle.alike
    canvas.fill(0, canvas.columns, y, "─", Role.FRAME)
    canvas.put(2, y, f" run {chosen.run} {plain(chosen.title)} ", Role.TITLE)
    against = "no other run of this scenario" if other is None else f"against run {other.run}"
    pinned = ", pinned" if other is not None and other.run == chronicle.pinned else ""
    canvas.right(canvas.columns - 2, y, f" {against}{pinned} ", Role.DIM)
    few = f"p95 of {len(among)}" if len(among) >= 20 else f"most of {len(among)}"
    for x, head in zip(_places(), ("", "", "this run", "against", "median", few), strict=True):
        canvas.put(x, y + 1, head, Role.DIM)
    canvas.put(_places()[-1] + 11, y + 1, "each run, the newest at the right, log", Role.DIM)
    shown = max(1, (rows - 2) // 3)
    first = max(0, min(chronicle.lane - shown // 2, len(chosen.lanes) - shown))
    if shown < len(chosen.lanes):
        canvas.put(1, y + 1, f"{first + 1} to {first + shown} of {len(chosen.lanes)}", Role.DIM)
    for row, index in enumerate(range(first, min(first + shown, len(chosen.lanes)))):
        _paint_lane(canvas, y + 2 + 3 * row, chosen, index, other, among, index == chronicle.lane)


def _places() -> tuple[int, ...]:
    return (1, 14, 25, 35, 46, 55)


def _paint_lane(
    canvas: Canvas, y: int, chosen: Entry, index: int, other: Entry | None, among: Sequence[Entry], selected: bool
) -> None:
    lane = chosen.lanes[index]
    then = None if other is None else other.lane(lane.lane)
    if selected:
        for row in range(3):
            canvas.put(0, y + row, "▌", Role.SELECTED)
    canvas.put(1, y, fit(f"{index + 1} {plain(lane.lane)}", 12), Role.STRONG)
    canvas.put(3, y + 1, fit(lane.verdict, 10), VERDICTS.get(lane.verdict, Role.TEXT))
    if then is not None and then.verdict != lane.verdict:
        canvas.put(3, y + 2, fit(f"was {then.verdict}", 10), Role.KEY)
    for moment in range(3):
        _paint_moment(canvas, y + moment, moment, chosen, lane, then, among)


def _paint_moment(
    canvas: Canvas, y: int, moment: int, chosen: Entry, lane: LaneEntry, then: LaneEntry | None, among: Sequence[Entry]
) -> None:
    _, names, this, against, middle, high = _places()
    found, role = values(among, lane.lane, moment), _ROLES[moment]
    canvas.put(names, y, _NAMES[moment], role)
    mine = lane.moments[moment]
    canvas.put(this, y, figure(mine), role if mine is not None else Role.DIM)
    if then is not None:
        canvas.put(against, y, fit(delta(mine, then.moments[moment]), 10), Role.TEXT)
    over = spread(found)
    canvas.put(middle, y, NONE if over is None else figure(over.median), Role.DIM)
    canvas.put(high, y, NONE if over is None else figure(over.p95), Role.DIM)
    x = high + 11
    room = canvas.columns - x - 18
    if room >= 8:
        at = next((number for number, each in enumerate(among) if each.run == chosen.run), -1)
        paint_strip(canvas, x, y, room, 1, found, role, at)
        canvas.right(canvas.columns - 1, y, ends(found[-room:]), Role.DIM)
    elif room + 18 >= 4:
        paint_strip(canvas, x, y, room + 17, 1, found, role)
