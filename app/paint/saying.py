"""In words: which timer will end each lane's call, why, and whether that came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.paint.canvas import Canvas, Role
from app.paint.text import first_that_fits, fit, plain, wrap
from app.paint.units import seconds
from app.paint.view import View
from probes.forecast import SHARED, Forecast, Kind, Truth, forecasts, of_run, truth

GLYPHS = {
    Truth.OPEN: (" ", Role.DIM),
    Truth.TRUE: ("✓", Role.CLEANUP),
    Truth.FASTER: ("<", Role.DIM),
    Truth.FALSE: ("≠", Role.ALERT),
    Truth.UNSAID: ("?", Role.DIM),
}
"""How it came out: as said, somebody was faster, not as said, nothing was said."""
CANNOT = "cannot be said"
WINS = "◆"


@dataclass(frozen=True, slots=True)
class Saying:
    """What is said of the lanes of the run that is shown, or else of the next one; ``truths`` are of the former."""

    lanes: tuple[Forecast, ...]
    truths: tuple[Truth, ...]
    fired: tuple[str, ...] = ()
    """What triggered each lane in truth."""
    key: str = "c"
    """What cancels all lanes."""


def of_view(view: View, *, coming: bool = False) -> Saying:
    """``coming``: of the next run, also while another is shown."""
    key = dict(view.spelt).get("cancel_all", "c")
    if coming or not view.run.lanes:
        found = tuple(forecasts(view.settings.lanes, view.settings.deadline))
        return Saying(found, (Truth.OPEN,) * len(found), key=key)
    said = tuple(of_run(view.run))
    pairs = zip(said, view.run.lanes, strict=True)
    truths = tuple(truth(each, lane, view.run) for each, lane in pairs)
    return Saying(said, truths, tuple(lane.zero.cause if lane.zero else "" for lane in view.run.lanes), key)


def winner(said: Forecast, key: str = "c") -> tuple[str, ...]:
    """What ends one lane, the longest text first."""
    match said.kind:
        case Kind.TIMER:
            name = "shared" if said.timer == SHARED else said.timer
            return f"{said.timer} {seconds(said.at)}", f"{name} {seconds(said.at)}", seconds(said.at)
        case Kind.NOBODY:
            return f"no timer: press {key}", "no timer", "none"
        case Kind.ITSELF:
            return "ends by itself", "itself"
        case Kind.UNKNOWN:
            return CANNOT, "unsaid", "?"


def whole(saying: Saying) -> str:
    """One line for the run: what was said, or what became of it."""
    if any(saying.truths):
        return _became(saying.truths)
    sure = [each for each in saying.lanes if each.at is not None]
    kinds = {each.kind for each in saying.lanes}
    if sure:
        first = min(sure, key=lambda each: each.at or 0.0)
        others = "; " + CANNOT + " of others" if Kind.UNKNOWN in kinds else ""
        what = first.timer if first.timer == SHARED else f"{plain(first.lane)} {first.timer}"
        return f"first: {what} at {seconds(first.at)}{others}"
    if Kind.UNKNOWN in kinds:
        return f"{CANNOT} which timer fires"
    return f"no timer will fire; you press {saying.key}" if kinds == {Kind.NOBODY} else "no timer will fire"


def _became(truths: Sequence[Truth]) -> str:
    for each, words in ((Truth.FALSE, "not as said"), (Truth.FASTER, "somebody was faster than the timer")):
        if count := truths.count(each):
            return f"{words} in {count} of {len(truths)}" if len(truths) > 1 else words
    return "timers did as was said" if Truth.TRUE in truths else "nothing was said, nothing is shown"


def why(said: Forecast) -> str:
    """One sentence on one lane."""
    return plain(f"{said.lane}: {winner(said)[0]}: {said.why}")


def effect(lanes: Sequence[Forecast], name: str, shared: bool = False) -> str:
    """What one timer will do, beside its value: of a lane, or the ``shared`` deadline of all of them."""
    name = SHARED if shared else name
    if wins := [each for each in lanes if each.timer == name]:
        of = f", in {len(wins)} of {len(lanes)} lanes" if shared and len(wins) < len(lanes) else ""
        return f"{WINS} ends it at {seconds(wins[0].at)}{of}"
    found = [(each, timer) for each in lanes for timer in each.timers if timer.name == name]
    if not found:
        return ""
    if all(timer.window is None for _, timer in found):
        return "never fires"
    if any(each.kind is Kind.UNKNOWN for each, _ in found):
        return CANNOT
    return "too late"


def told(lanes: Sequence[Forecast], name: str, shared: bool = False) -> str:
    """Which timer wins in these lanes and why, and why the one of this ``name`` does not."""
    if shared:
        return whole(Saying(tuple(lanes), (Truth.OPEN,) * len(lanes)))
    (said,) = lanes
    never = next((each.why for each in said.timers if each.name == name and each.window is None), "")
    if not never:
        return why(said)
    return plain(f"{said.lane}: {winner(said)[0]}; {name} never fires: {never}")


def became(view: View, lane: int) -> str:
    """Of the run that is shown: whether what was said of this lane's timers came true; empty where nothing is known."""
    found = of_view(view)
    came = found.truths[lane] if lane < len(found.truths) else Truth.OPEN
    if came in (Truth.OPEN, Truth.UNSAID) or (came is Truth.TRUE and not found.lanes[lane].timers):
        return ""
    return f"{came}: {winner(found.lanes[lane])[0]}"


def rows(saying: Saying) -> int:
    """Lines that all of it needs in a panel: the line for the run, one a lane, and two that say why."""
    return 1 + (len(saying.lanes) > 1) * len(saying.lanes) + 2


def paint_saying(canvas: Canvas, y: int, saying: Saying, selected: int) -> None:
    """From row ``y`` down, as much as there is room for."""
    columns = canvas.columns
    for line in wrap(whole(saying), columns)[: max(1, canvas.rows - y)]:
        canvas.put(0, y, line, Role.ALERT if Truth.FALSE in saying.truths else Role.STRONG)
        y += 1
    if len(saying.lanes) > 1 and canvas.rows - y >= len(saying.lanes):
        for index, (said, came) in enumerate(zip(saying.lanes, saying.truths, strict=True)):
            _paint_lane(canvas, y + index, said, came, index == selected, saying.key)
        y += len(saying.lanes)
    if selected < len(saying.lanes):
        for line in wrap(_why_or_what(saying, selected), columns - 1)[: canvas.rows - y]:
            canvas.put(1, y, line, Role.DIM)
            y += 1


def _why_or_what(saying: Saying, lane: int) -> str:
    if saying.truths[lane] is Truth.FALSE:
        return f"it was {plain(saying.fired[lane]) or 'none'}; said because {saying.lanes[lane].why}"
    return saying.lanes[lane].why


def _paint_lane(canvas: Canvas, y: int, said: Forecast, came: Truth, selected: bool, key: str) -> None:
    glyph, role = GLYPHS[came]
    end = canvas.columns - 2
    cells = min(10, end // 3)
    if selected:
        canvas.put(0, y, "▌", Role.SELECTED)
    canvas.put(1, y, fit(plain(said.lane), cells), Role.STRONG if selected else Role.DIM)
    text = first_that_fits(end - cells - 2, *winner(said, key))
    canvas.right(end, y, text, Role.TEXT if said.kind is Kind.TIMER else Role.DIM)
    canvas.put(end + 1, y, glyph, role)
