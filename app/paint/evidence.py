"""Every mark of one lane in the order of time, with all of its evidence and how far its time can be off."""

from __future__ import annotations

from app.paint.canvas import Canvas, Role
from app.paint.marks import GLYPHS, ROLES
from app.paint.text import fit, plain
from app.paint.units import figure
from app.paint.view import View
from probes.state import LaneState
from probes.verdict import marks_in_order, seen


def title(view: View, _rows: int) -> tuple[str, str]:
    lane = view.lane
    return ("evidence", "") if lane is None else (f"evidence · {view.selected + 1} {plain(lane.name)}", "")


def paint_evidence(view: View, columns: int, rows: int) -> Canvas:
    """One line a mark: shape, time after the trigger, its error, layer, who stamped it, and the evidence in full."""
    canvas = Canvas(columns, rows)
    lane = view.lane
    if lane is None or view.run.started is None:
        canvas.put(1, 0, "no run yet", Role.DIM)
        return canvas
    for x, head in ((3, "after"), (13, "± error"), (23, "layer"), (33, "stamp"), (41, "evidence")):
        canvas.put(x, 0, head, Role.DIM)
    y = 1
    if lane.zero is not None:
        detail = f" {plain(lane.zero.detail)}" if lane.zero.detail else ""
        canvas.put(1, y, "▾", Role.ZERO)
        canvas.put(3, y, "0", Role.ZERO)
        canvas.put(41, y, fit(f"{plain(lane.zero.cause)}{detail}", columns - 42), Role.ZERO)
        y += 1
    return _paint_marks(canvas, y, lane, view)


def _paint_marks(canvas: Canvas, y: int, lane: LaneState, view: View) -> Canvas:
    columns, tap, before = canvas.columns, view.session.tap_median_ns or 0, None
    for layer, mark in marks_in_order(lane):
        known = seen(lane, layer, mark)
        role = ROLES[mark.moment]
        canvas.put(1, y, GLYPHS[mark.moment][not known], role)
        zero = lane.zero.t if lane.zero is not None else view.run.started or mark.t
        # Nearer than what the tap itself costs: which of the two came first is not known.
        tie = before is not None and mark.t - before < tap
        canvas.put(2, y, "≈" if tie else " ", Role.DIM)
        canvas.put(3, y, figure(mark.t - zero), role)
        canvas.put(13, y, f"± {figure(mark.err)}" if mark.err else "", Role.DIM)
        canvas.put(23, y, layer, Role.TEXT)
        canvas.put(33, y, mark.stamp, Role.DIM)
        text = plain(mark.evidence) if known else f"only claimed: {plain(mark.evidence)}"
        canvas.put(41, y, fit(text, columns - 42), Role.TEXT)
        before, y = mark.t, y + 1
    if lane.lost:
        canvas.put(1, y, fit(f"the tap's decoder gave up: {plain(lane.lost)}", columns - 2), Role.ALERT)
    return canvas
