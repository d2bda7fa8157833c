"""What stands in the timeline's place before the first run: the lab coming up, and what to press."""

from __future__ import annotations

from app.paint.canvas import Canvas, Role
from app.paint.guests import recipe_lines
from app.paint.pages import paint_lines
from app.paint.plans import paint_plans
from app.paint.text import fit, plain, width, wrap
from app.paint.view import View
from probes.state import PartState

_STATES = {
    "starting": ("◌", Role.DONE),
    "ready": ("●", Role.CLEANUP),
    "failed": ("×", Role.ALERT),
    "stopped": ("○", Role.DIM),
}
_WIDE = 64
"""Columns of what stands in the middle, at least."""
_EXPECTED = ("servers", "postgresql", "tap")


def paint_starting(view: View, columns: int, rows: int) -> Canvas:
    """The lanes to come, each part of the lab with its state, and the next key; in the middle."""
    canvas = Canvas(columns, rows)
    if view.session.guests:
        return _paint_invitation(canvas, view)
    parts = _parts(view)
    x = max(2, (columns - max(_WIDE, width(view.title) + 2)) // 2)
    coming = _coming(view, columns - x - 1)
    y = max(0, (rows - coming.used - len(parts) - 3) // 2)
    canvas.paste(coming, x, y)
    y += coming.used + 1
    if not view.session.ready or rows - y > len(parts) + 1:
        for part in parts:
            _paint_part(canvas, x, y, part, columns - x - 1)
            y += 1
        y += 1
    _paint_advice(canvas, x, y, view)
    return canvas


class _Coming(Canvas):
    """What the next run will be. ``used``: rows that have something."""

    used = 0


def _coming(view: View, room: int) -> _Coming:
    lines = wrap(plain(view.settings.summary), min(room, _WIDE + 8))[:3]
    canvas = _Coming(room, 2 * len(view.settings.lanes) + len(lines) + 2)
    canvas.put(0, 0, fit(plain(view.title), room), Role.STRONG)
    for y, line in enumerate(lines, start=1):
        canvas.put(0, y, line, Role.DIM)
    canvas.used = paint_plans(canvas, 0, len(lines) + 1 + bool(lines), view.settings.lanes, min(room, _WIDE + 8))
    return canvas


def _paint_invitation(canvas: Canvas, view: View) -> Canvas:
    """The lab listens: what to type in another terminal."""
    canvas.put(2, 1, "Waiting for guests. In another terminal:", Role.STRONG)
    lines = recipe_lines(view.session.guests)
    canvas.paste(paint_lines(lines, 0, canvas.columns - 4, max(0, canvas.rows - 3)), 2, 3)
    return canvas


def _paint_advice(canvas: Canvas, x: int, y: int, view: View) -> None:
    text, keys, role = _advice(view)
    end = canvas.put(x, y, fit(text, canvas.columns - x - 1), role)
    for key, does in keys:
        end = canvas.put(end + 1, y, key, Role.KEY)
        end = canvas.put(end + 1, y, does, Role.TEXT)
    if view.number and view.run.outcome == "aborted":
        why = f"run {view.number} was not started: {plain(view.run.detail)}"
        canvas.put(x, y + 2, fit(why, canvas.columns - x - 1), Role.ALERT)


def _parts(view: View) -> list[PartState]:
    """What has spoken, and what is still to come."""
    spoken = [part for part in view.session.parts if part.part != "lab"]
    if view.session.ready:
        return spoken
    known = {part.part for part in spoken}
    return [*spoken, *(PartState(name, "waiting") for name in _EXPECTED if name not in known)]


def _paint_part(canvas: Canvas, x: int, y: int, part: PartState, end: int) -> None:
    glyph, role = _STATES.get(part.state, ("○", Role.DIM))
    canvas.put(x, y, glyph, role)
    canvas.put(x + 2, y, fit(plain(part.part), 12), Role.TEXT)
    after = canvas.put(x + 15, y, part.state, role)
    canvas.put(after + 2, y, fit(plain(part.detail), end - after - 2), Role.DIM)


def _advice(view: View) -> tuple[str, tuple[tuple[str, str], ...], Role]:
    if view.mode == "replay":
        play, step = view.key("play", "space"), view.key("moment(1)", "]")
        return "Press", ((play, "to play, or"), (step, "for the first moment")), Role.TEXT
    if view.session.ready:
        start, cancel = view.key("start", "enter"), view.key("cancel_all", "c")
        return "Press", ((start, "to start a run, then"), (cancel, "to cancel it")), Role.TEXT
    failed = [part for part in view.session.parts if part.state == "failed"]
    if failed:
        words = f"{plain(failed[0].part)} failed: {plain(failed[0].detail)}"
        return words, ((view.key("log", "L"), "for the log"),), Role.ALERT
    return "The lab is starting", (), Role.DIM
