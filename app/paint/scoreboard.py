"""The scoreboard: one line a lane, the moments that stand for it, and the skew between the lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from app.paint.canvas import Canvas, Role
from app.paint.text import first_that_fits, fit, plain
from app.paint.units import NONE, delta, figure, lasted, residue_text, size
from app.paint.view import View
from probes import verdict as judge
from probes.state import LaneState, Moment, RunState

VERDICTS = {
    judge.CLEAN: Role.CLEANUP,
    judge.RUNNING: Role.RUNNING,
    judge.ZOMBIE: Role.ALERT,
    judge.CLAIMED: Role.ALERT,
    judge.LEAK: Role.ALERT,
    judge.FAILED: Role.ALERT,
    judge.TOO_LATE: Role.DONE,
    judge.SWALLOWED: Role.ALERT,
    judge.NOT_CANCELLED: Role.DIM,
    judge.PHASE_MISSED: Role.DIM,
}
_MOMENTS = ((Moment.DONE, Role.DONE), (Moment.INTERRUPT, Role.INTERRUPT), (Moment.CLEANUP, Role.CLEANUP))


Cell = tuple[tuple[str, ...], Role]
"""What to write, the longest first, and how."""


@dataclass(frozen=True, slots=True)
class Column:
    """``narrow``, ``wide``: cells in 64 and in 100 columns; anything more is shared out."""

    head: str
    narrow: int
    wide: int
    role: Role
    cell: Callable[[LaneState, View], Cell]


def paint_scoreboard(view: View, columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    places = _places(columns)
    for column, x, cells in places:
        canvas.put(x, 0, fit(column.head, cells), column.role)
    for index, lane in enumerate(view.run.lanes):
        y = index + 1
        if index == view.selected:
            canvas.put(0, y, "▌", Role.SELECTED)
        canvas.put(1, y, fit(f"{index + 1} {plain(lane.name)}", places[0][2] - 1), Role.STRONG)
        for column, x, cells in places[1:]:
            texts, role = column.cell(lane, view)
            canvas.put(x, y, first_that_fits(cells - (x + cells < columns) * 2, *texts), role)
    y = len(view.run.lanes) + 1
    if view.run.lanes:
        if skew := not _skew_above(view, rows):
            _paint_skew(canvas, y, view.run, places)
        if view.reference is not None:
            _paint_deltas(canvas, y + skew, view, view.reference, places)
        _paint_median(canvas, y + skew + (view.reference is not None), view, places)
    return canvas


def title(view: View, rows: int) -> tuple[str, str]:
    """The skew stands here where the panel has no row for it."""
    return "scoreboard", skew_text(view.run) if _skew_above(view, rows) else ""


def _skew_above(view: View, rows: int) -> bool:
    """Whether the skew has no row of its own: what a run is compared with is worth more."""
    return rows < len(view.run.lanes) + 2 + (view.reference is not None)


def skew_text(run: RunState) -> str:
    found = [(name, judge.skew(run, moment)) for name, moment in (("Done", Moment.DONE), ("I/O", Moment.INTERRUPT))]
    known = [f"{name} {figure(ns)}" for name, ns in found if ns is not None]
    return f"skew {', '.join(known)}" if known else ""


def _places(columns: int) -> list[tuple[Column, int, int]]:
    """Each column with its first cell and its width: between narrow and wide by what there is."""
    narrow, wide = sum(column.narrow for column in COLUMNS), sum(column.wide for column in COLUMNS)
    share = min(1.0, max(0.0, (columns - 1 - narrow) / (wide - narrow)))
    spare = max(0, min(6, (columns - 1 - wide) // len(COLUMNS)))
    places, x = [], 1
    for column in COLUMNS:
        cells = int(column.narrow + (column.wide - column.narrow) * share) + spare
        places.append((column, x, cells))
        x += cells
    last, start, _ = places[-1]
    places[-1] = (last, start, max(0, columns - start))
    return places


def _paint_skew(canvas: Canvas, y: int, run: RunState, places: list[tuple[Column, int, int]]) -> None:
    canvas.put(1, y, "skew", Role.DIM)
    for (moment, _), (_, x, _) in zip(_MOMENTS, places[1:], strict=False):
        canvas.put(x, y, figure(judge.skew(run, moment)), Role.DIM)


def _paint_deltas(
    canvas: Canvas, y: int, view: View, reference: RunState, places: list[tuple[Column, int, int]]
) -> None:
    """How the selected lane differs from the run that it is compared with, aligned at their triggers."""
    canvas.put(1, y, f"vs {reference.run}" + (" pinned" if view.pinned else " before"), Role.KEY)
    lane = view.run.lanes[view.selected] if view.selected < len(view.run.lanes) else None
    then = None if lane is None else reference.lane(lane.name)
    if lane is None or then is None:
        canvas.put(places[1][1], y, "has no such lane", Role.DIM)
        return
    for (moment, role), (_, x, cells) in zip(_MOMENTS, places[1:], strict=False):
        text = delta(judge.offset(lane, judge.headline(lane, moment)), judge.offset(then, judge.headline(then, moment)))
        canvas.put(x, y, fit(text, cells - 1), role)
    ended = reference.ended or 0
    was = judge.verdict(then, ended)
    if (before := judge.zombie(then, ended).ns) or judge.zombie(lane, view.now).ns:
        canvas.put(places[4][1], y, fit(delta(judge.zombie(lane, view.now).ns, before), places[4][2] - 1), Role.DIM)
    same = was == judge.verdict(lane, view.now)
    canvas.put(places[-1][1], y, f"{'also' if same else 'was'} {was}", Role.DIM if same else Role.KEY)


def _paint_median(canvas: Canvas, y: int, view: View, places: list[tuple[Column, int, int]]) -> None:
    """The same over all runs of the session: one run is an anecdote."""
    if len(view.history) < 2:
        return
    canvas.put(1, y, f"of {len(view.history)}", Role.DIM)
    for (moment, _), (_, x, _) in zip(_MOMENTS, places[1:], strict=False):
        found = [ns for run in view.history if (ns := judge.skew(run, moment)) is not None]
        canvas.put(x, y, figure(round(median(found))) if found else NONE, Role.DIM)
    canvas.put(places[4][1], y, f"median skew of the last {len(view.history)} runs", Role.DIM)


# --- cells --------------------------------------------------------------------------------------------

_NOTHING: Cell = ((NONE,), Role.DIM)


def _moment(moment: Moment, role: Role) -> Callable[[LaneState, View], Cell]:
    def cell(lane: LaneState, view: View) -> Cell:
        at = judge.offset(lane, judge.headline(lane, moment))
        if at is not None:
            then = None if view.reference is None else view.reference.lane(lane.name)
            was = None if then is None else judge.offset(then, judge.headline(then, moment))
            return ((figure(at),) if was is None else (f"{figure(at)} {delta(at, was)}", figure(at))), role
        if moment is Moment.INTERRUPT and judge.verdict(lane, view.now) in (judge.ZOMBIE, judge.CLAIMED, judge.LEAK):
            return ("never" if lane.teardown is not None else "not yet",), Role.ALERT
        return _NOTHING

    return cell


def _zombie(lane: LaneState, view: View) -> Cell:
    dead = judge.zombie(lane, view.now)
    if not dead.ns:
        return _NOTHING
    age = lasted(dead.ns, cut=dead.cut)
    return ((f"{age}, {size(dead.size)}", age) if dead.size else (age,)), Role.ALERT


def _residue(lane: LaneState, _view: View) -> Cell:
    held = residue_text(lane.residue)
    if not held:
        return _NOTHING
    return (held, f"{sum(lane.residue.values())} held"), Role.ALERT


def _verdict(lane: LaneState, view: View) -> Cell:
    word = judge.verdict(lane, view.now)
    if (count := judge.violations(lane)) and word != judge.RUNNING:
        return (f"{word}, {count} violations", f"{word}, {count}!"), Role.ALERT
    return (word,), VERDICTS[word]


def _name(lane: LaneState, _view: View) -> Cell:
    return (plain(lane.name),), Role.STRONG


COLUMNS = (
    Column("lane", 12, 12, Role.DIM, _name),
    Column("◆ Done", 9, 11, Role.DONE, _moment(Moment.DONE, Role.DONE)),
    Column("■ I/O", 9, 11, Role.INTERRUPT, _moment(Moment.INTERRUPT, Role.INTERRUPT)),
    Column("● cleanup", 10, 12, Role.CLEANUP, _moment(Moment.CLEANUP, Role.CLEANUP)),
    Column("▒ zombie", 10, 18, Role.DIM, _zombie),
    Column("residue", 11, 23, Role.DIM, _residue),
    Column("verdict", 18, 20, Role.DIM, _verdict),
)
