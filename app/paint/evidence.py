"""Every mark of one lane in the order of time, with all of its evidence and how far its time can be off."""

from __future__ import annotations

from app.paint import saying
from app.paint.canvas import Canvas, Role
from app.paint.links import EFFECTS
from app.paint.marks import GLYPHS, ROLES, TIE, TRIGGER
from app.paint.text import plain, wrap
from app.paint.units import figure
from app.paint.view import View
from probes.moments import ties
from probes.state import LaneState
from probes.verdict import marks_in_order, seen

_ERR, _LAYER, _STAMP, TEXT = 12, 22, 31, 38
_MANY = 500


class Sheet(Canvas):
    """A canvas that is filled from the top. ``used``: rows that have something."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self.used = 1

    def write(self, text: str, role: Role) -> None:
        """Evidence in its column, on as many lines as it needs."""
        for line in wrap(plain(text), max(8, self.columns - TEXT - 1)):
            self.put(TEXT, self.used, line, role)
            self.used += 1
        self.used += not text


def title(view: View, _rows: int) -> tuple[str, str]:
    lane = view.lane
    return ("evidence", "") if lane is None else (f"evidence · {view.selected + 1} {plain(lane.name)}", "")


def height(view: View, columns: int) -> int:
    """Rows that all of it needs."""
    return paint_evidence(view, columns, _MANY).used


def paint_evidence(view: View, columns: int, rows: int) -> Sheet:
    """One line a mark: shape, time after the trigger, its error, layer, who stamped it, and the evidence in full."""
    sheet = Sheet(columns, rows)
    lane = view.lane
    if lane is None or view.run.started is None:
        sheet.put(1, 0, "no run yet", Role.DIM)
        return sheet
    for x, head in ((3, "after"), (_ERR, "± error"), (_LAYER, "layer"), (_STAMP, "stamp"), (TEXT, "evidence")):
        sheet.put(x, 0, head, Role.DIM)
    if lane.zero is not None:
        sheet.put(1, 1, TRIGGER, Role.ZERO)
        sheet.put(3, 1, "0", Role.ZERO)
        words = f"{lane.zero.cause} {lane.zero.detail}".strip()
        sheet.write("; ".join(filter(None, (words, saying.became(view, view.selected)))), Role.ZERO)
    _paint_budgets(sheet, lane)
    _paint_faults(sheet, lane)
    _paint_links(sheet, lane)
    _paint_marks(sheet, lane, view)
    if lane.lost:
        sheet.write(f"the tap's decoder gave up: {lane.lost}", Role.ALERT)
    return sheet


def _paint_budgets(sheet: Sheet, lane: LaneState) -> None:
    """Of a hop: what was left of its caller's deadline."""
    for _, left, evidence in lane.budgets:
        sheet.put(3, sheet.used, "no limit" if left is None else figure(left), Role.DONE)
        sheet.put(_LAYER, sheet.used, "budget", Role.TEXT)
        sheet.write(f"left of the caller's deadline, {evidence}", Role.TEXT)


def _paint_faults(sheet: Sheet, lane: LaneState) -> None:
    """What the tap itself did to the lane's connections."""
    for fault in lane.faults:
        if lane.zero is not None:
            sheet.put(3, sheet.used, figure(fault.since - lane.zero.t), Role.ALERT)
        sheet.put(_LAYER, sheet.used, "fault", Role.TEXT)
        head = " ".join(part for part in (fault.kind, fault.direction, fault.detail) if part)
        sheet.write("; ".join((f"the tap: {head}", *fault.hits)), Role.ALERT)


def _paint_links(sheet: Sheet, lane: LaneState) -> None:
    """What the middleware did, the outermost link first."""
    for each in sorted(lane.links, key=lambda link: (link.link, link.t)):
        glyph, role = EFFECTS[each.effect]
        sheet.put(1, sheet.used, glyph, role)
        if lane.zero is not None:
            sheet.put(3, sheet.used, figure(each.t - lane.zero.t), role)
        sheet.put(_LAYER, sheet.used, f"link {each.link}", Role.TEXT)
        sheet.write(f"{each.name}: {each.effect}: {each.evidence}", role)


def _paint_marks(sheet: Sheet, lane: LaneState, view: View) -> None:
    tied = ties(lane, view.session.tap_p95_ns or 0)
    zero = lane.zero.t if lane.zero is not None else view.run.started or 0
    for layer, mark in marks_in_order(lane):
        known, role, y = seen(lane, layer, mark), ROLES[mark.moment], sheet.used
        sheet.put(1, y, GLYPHS[mark.moment][not known], role)
        # Which of it and the one above came first is not known.
        sheet.put(2, y, TIE if (layer, mark) in tied else " ", Role.DIM)
        sheet.put(3, y, figure(mark.t - zero), role)
        sheet.put(_ERR, y, f"± {figure(mark.err)}" if mark.err else "", Role.DIM)
        sheet.put(_LAYER, y, layer, Role.TEXT)
        sheet.put(_STAMP, y, mark.stamp, Role.DIM)
        sheet.write(mark.evidence if known else f"only claimed: {mark.evidence}", Role.TEXT)
