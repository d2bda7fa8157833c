"""The first and the last line: what this is and how it is, and which keys there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from app.paint.canvas import Canvas, Role
from app.paint.text import first_that_fits, fit, plain, width
from app.paint.units import figure, size
from app.paint.view import Hint, Playback, View
from probes.state import SessionState

LAG_NS = 5_000_000
"""From so late on the lab's loop is so busy that it shows in what Python stamps."""


class Item(NamedTuple):
    """One piece of the status line. The lowest ``weight`` goes first when there is no room."""

    text: str
    role: Role
    weight: int


def paint_status(view: View, columns: int, rows: int) -> Canvas:
    """What is shown stands left, how the lab is stands right; what does not fit is left out whole."""
    canvas = Canvas(columns, rows)
    left = [item for item in (*_mode(view), *_run(view)) if item.text]
    right = [item for item in _lab(view) if item.text]
    while _length([*left, *right]) + 2 > columns:
        droppable = [item for item in (*left, *right) if item.weight < 100]
        if not droppable:
            break
        victim = min(droppable, key=lambda item: item.weight)
        left, right = ([item for item in side if item is not victim] for side in (left, right))
    x = 0
    for item in left:
        x = canvas.put(x, 0, item.text, item.role) + 2
    x = max(x, columns - _length(right) + 1)
    for item in right:
        x = canvas.put(x, 0, fit(item.text, columns - x), item.role) + 2
    return canvas


def _length(items: Sequence[Item]) -> int:
    return sum(width(item.text) + 2 for item in items)


def _mode(view: View) -> list[Item]:
    brand = Item(" Cancelloscope ", Role.BRAND, 20)
    play, rec = view.playback, Item("● REC" if view.recording else "", Role.REC, 99)
    if play is not None:
        return [
            brand,
            Item(" SLOW MOTION " if play.live else " REPLAY ", Role.REPLAY, 100),
            Item(f"{play.glyph} {play.speed}{' loop' if play.loop else ''}", Role.STRONG, 95),
            Item(_after(view), Role.DONE, 92),
            Item(f"skipped {figure(play.skipped)}" if play.skipped else "", Role.STRONG, 91),
            *([rec] if play.live else [Item(_where(play), Role.DIM, 45)]),
        ]
    return [brand, Item(" LISTENING " if view.listening else " LIVE ", Role.LIVE, 100), rec, _recorded(view)]


def _recorded(view: View) -> Item:
    """Into which file, and how much of it there is."""
    if not view.recording:
        return Item("", Role.DIM, 0)
    name = view.recording.rpartition("/")[2]
    return Item(f"{plain(name)} {size(view.recorded)}", Role.DIM, 55)


def _where(play: Playback) -> str:
    return f"{play.position / 1e9:.3f} s of {play.length / 1e9:.1f} s"


def _after(view: View) -> str:
    zero = view.run.zero or next((lane.zero for lane in view.run.lanes if lane.zero is not None), None)
    return "" if zero is None else f"{plain(zero.cause)} +{figure(view.now - zero.t)}"


def _run(view: View) -> list[Item]:
    number = f"run {view.number}" if view.number else ""
    aborted = f"aborted: {plain(view.run.detail)}" if view.run.outcome == "aborted" else ""
    return [Item(plain(view.title), Role.STRONG, 60), Item(number, Role.TEXT, 90), Item(aborted, Role.ALERT, 97)]


def _lab(view: View) -> list[Item]:
    session = view.session
    return [
        _state(view),
        *_postgres(session),
        *_tap(session),
        _lag(session),
        Item(f"{view.late} late frame{'s' if view.late > 1 else ''}" if view.late else "", Role.DIM, 12),
        Item(f"dropped {session.dropped}" if session.dropped else "", Role.ALERT, 94),
        Item(f"! {view.alarms} in the log" if view.alarms else "", Role.ALERT, 96),
    ]


def _postgres(session: SessionState) -> list[Item]:
    version = session.versions.get("postgresql", "")
    if not version:
        return []
    detail = next((part.detail for part in session.parts if part.part == "postgresql"), "")
    whose = "by DSN" if " at " in detail else "embedded"
    return [Item(f"PostgreSQL {plain(version)}", Role.DIM, 30), Item(whose, Role.DIM, 15)]


def _tap(session: SessionState) -> list[Item]:
    if session.tap_median_ns is None:
        return []
    p95 = "" if session.tap_p95_ns is None else f"p95 {figure(session.tap_p95_ns)}"
    return [Item(f"tap +{figure(session.tap_median_ns)}", Role.DIM, 50), Item(p95, Role.DIM, 17)]


def _lag(session: SessionState) -> Item:
    if not session.ready:
        return Item("", Role.DIM, 0)
    bad = session.lag_ns > LAG_NS
    return Item(f"lag {figure(session.lag_ns)}", Role.ALERT if bad else Role.DIM, 75 if bad else 40)


def _state(view: View) -> Item:
    if view.run.open:
        told = view.run.zero is not None or any(lane.zero for lane in view.run.lanes)
        return Item("settling" if told else "running", Role.DONE if told else Role.RUNNING, 80)
    if view.failed:
        return Item("lab failed", Role.ALERT, 98)
    if view.session.ready:
        return Item("ready", Role.CLEANUP, 80)
    return Item(_waiting(view.session), Role.DONE, 80)


def _waiting(session: SessionState) -> str:
    parts = [plain(part.part) for part in session.parts if part.state == "starting" and part.part != "lab"]
    deaths = [text for _, who, text in session.log if who == "lab" and text.startswith("died")]
    how = f"lab {plain(deaths[-1])}, restarting" if deaths else "starting"
    return f"{how} {', '.join(parts)}" if parts and not deaths else how


SMALLEST = (60, 18)
"""Columns and rows below which nothing is shown but that."""


def is_small(columns: int, rows: int) -> bool:
    return columns < SMALLEST[0] or rows < SMALLEST[1]


def paint_small(_view: View, columns: int, rows: int) -> Canvas:
    """One line, in the middle."""
    canvas = Canvas(columns, rows)
    needed = f"{SMALLEST[0]}x{SMALLEST[1]}"
    text = first_that_fits(
        columns,
        f"this terminal is {columns}x{rows}: {needed} is needed, make it larger",
        f"{columns}x{rows}: {needed} is needed",
        f"needs {needed}",
        "too small",
    )
    canvas.put((columns - width(text)) // 2, rows // 2, text, Role.ALERT)
    return canvas


# --- keys ---------------------------------------------------------------------------------------------


def shown_hints(hints: Sequence[Hint], columns: int) -> list[tuple[int, int, Hint]]:
    """The hints that fit in a line, each with its first column and the one after its last."""
    kept = list(hints)
    while kept and sum(width(hint.keys) + width(hint.label) + 3 for hint in kept) > columns:
        kept.remove(min(kept, key=lambda hint: hint.weight))
    places, x = [], 1
    for hint in kept:
        end = x + width(hint.keys) + 1 + width(hint.label)
        places.append((x, end, hint))
        x = end + 2
    return places


def put_hints(canvas: Canvas, y: int, hints: Sequence[Hint]) -> None:
    """Keys and what they do, as many as fit in the line."""
    for x, _, hint in shown_hints(hints, canvas.columns):
        end = canvas.put(x, y, hint.keys, Role.KEY)
        canvas.put(end + 1, y, hint.label, Role.DIM)


def paint_footer(view: View, columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    put_hints(canvas, 0, view.hints)
    return canvas
