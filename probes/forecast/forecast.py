"""What ends a call first: the decision between everything that could."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from probes.catalogue import TIMERS
from probes.events import CALLED_BY, GUEST, LanePlan
from probes.forecast import grpc, http, postgres
from probes.forecast.window import AT_ONCE, FOREVER, SOON, Timer, Window, about, over
from probes.units import parse_duration, seconds_text

SHARED = "shared deadline"
"""The scope's own, for all lanes."""
RUN_LIMIT = 60.0
"""Seconds after which the lab ends a run that nothing else ends (``app.commands.Start``)."""

_LINK = "add-timeout:"
_ENDS = {"grpc": grpc.end, "http/1.1": http.end, "http/2": http.end, "postgres": postgres.end}
_TIMERS = {"grpc": grpc.timers, "http/1.1": http.timers, "http/2": http.timers, "postgres": postgres.timers}


class Kind(StrEnum):
    TIMER = "timer"
    """``Forecast.timer`` ends the call."""
    NOBODY = "nobody"
    """No timer does: somebody's key, or the call's own end."""
    ITSELF = "itself"
    """What ends it is neither: its caller, or a step of its own client's."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Forecast:
    """``at``: seconds after the calls were begun, at the earliest. ``timers``: every one that is set, with its own."""

    lane: str
    kind: Kind
    why: str
    timer: str = ""
    at: float | None = None
    timers: tuple[Timer, ...] = ()


def forecasts(plans: Iterable[LanePlan], deadline: float | None) -> list[Forecast]:
    """One a lane, in their order."""
    return [forecast(plan, deadline) for plan in plans]


def forecast(plan: LanePlan, deadline: float | None) -> Forecast:
    """Of one lane, whose run has the shared ``deadline``."""
    if plan.phase == GUEST or plan.protocol not in _ENDS:
        return Forecast(plan.lane, Kind.ITSELF, "an outside client: its timers are its own")
    if CALLED_BY in plan.options:
        return Forecast(plan.lane, Kind.ITSELF, f"a hop: its end comes through {plan.options[CALLED_BY]}")
    if step := plan.options.get("cancel_at"):
        return Forecast(plan.lane, Kind.ITSELF, f"it cancels itself after {step}")
    return _decide(plan, tuple(_timers(plan, deadline)))


def _timers(plan: LanePlan, deadline: float | None) -> list[Timer]:
    """All that are set: the client's and the server's, those of its middleware, and those for any call at all."""
    found = _TIMERS[plan.protocol](plan)
    if plan.protocol.startswith("http/") and (why := http.cannot(plan)):
        found = [Timer(each.name, each.seconds, Window(0.0, FOREVER.latest), why) for each in found]
    if (limit := plan.timeouts.get("asyncio.timeout")) is not None:
        found.append(_whole(plan, limit))
    if deadline is not None:
        found.append(Timer(SHARED, deadline, AT_ONCE.plus(deadline), "the shared deadline cancels every open lane"))
    return found + [_link(plan, text) for text in plan.middleware if text.startswith(_LINK)]


def _whole(plan: LanePlan, seconds: float) -> Timer:
    name = "asyncio.timeout"
    if "swallow" in plan.middleware:
        why = "a link swallows what asyncio.timeout raises"
        return Timer(name, seconds, Window(seconds, FOREVER.latest), why)
    return Timer(name, seconds, AT_ONCE.plus(seconds), "asyncio.timeout covers the whole call")


def _link(plan: LanePlan, text: str) -> Timer:
    seconds = parse_duration(text.removeprefix(_LINK)) or 0.0
    why = f"the link {text} has a limit of its own"
    if plan.phase == "cursor":
        # Around each fetch, and nothing while its owner is busy.
        fetch = Window(0.0, postgres.end(plan).latest)
        return Timer(text, seconds, over(seconds, fetch, SOON), why)
    # Of an HTTP response's body it counts from the head on.
    late = about(plan.delay, SOON.latest).latest if plan.phase == "response body" else SOON.latest
    return Timer(text, seconds, Window(seconds, late + seconds), why)


def _decide(plan: LanePlan, timers: tuple[Timer, ...]) -> Forecast:
    end = _ENDS[plan.protocol](plan)
    coming = sorted((each for each in timers if each.window is not None), key=_latest)
    limit = Window(RUN_LIMIT, RUN_LIMIT)
    own = min(end, limit, key=lambda window: window.latest)
    own = Window(min(end.soonest, limit.soonest), own.latest)
    if not coming or _soonest(coming) >= own.latest:
        return Forecast(plan.lane, Kind.NOBODY, _nobody(plan, timers, end), timers=timers)
    first = coming[0]
    assert first.window is not None
    rival = next((each for each in coming[1:] if each.window and each.window.soonest < first.window.latest), None)
    if rival is not None:
        return Forecast(plan.lane, Kind.UNKNOWN, _near(first, rival), timers=timers)
    if own.soonest < first.window.latest:
        return Forecast(plan.lane, Kind.UNKNOWN, _uncertain(first, own), timers=timers)
    return Forecast(plan.lane, Kind.TIMER, first.why, first.name, first.window.soonest, timers)


def _latest(timer: Timer) -> tuple[float, float]:
    assert timer.window is not None
    return timer.window.latest, timer.window.soonest


def _soonest(timers: Iterable[Timer]) -> float:
    return min(each.window.soonest for each in timers if each.window is not None)


def _nobody(plan: LanePlan, timers: tuple[Timer, ...], end: Window) -> str:
    if end.latest < RUN_LIMIT:
        lasts = f"the call ends by itself after about {_shown(end.soonest)}"
    else:
        lasts = f"the lab ends a run after {seconds_text(RUN_LIMIT)}"
    if not timers:
        return f"none is set; {lasts}"
    # The one that was to end it, or else that which would be the first.
    nearest = min(timers, key=lambda each: (each.name != TIMERS.get(plan.cause), not each.covers, each.seconds))
    return f"{nearest.why}; {lasts}" if nearest.window is None else lasts


def _near(first: Timer, rival: Timer) -> str:
    for each in (first, rival):
        if _open(each):
            return _unsure(each)
    return f"{first.name} and {rival.name} come too near to each other"


def _uncertain(first: Timer, own: Window) -> str:
    if _open(first):
        return _unsure(first)
    if own.latest >= RUN_LIMIT:
        return f"when the call ends by itself is not known: it may be before {first.name}"
    return f"the call ends by itself at about {_shown(own.soonest)}, when {first.name} comes"


def _open(timer: Timer) -> bool:
    """Whether nobody can tell if it fires at all."""
    return timer.window is not None and timer.window.latest == FOREVER.latest


def _unsure(timer: Timer) -> str:
    return f"{timer.why}, and whether that lasts {_shown(timer.seconds)} is not known"


def _shown(seconds: float) -> str:
    return seconds_text(round(seconds, 1 if seconds >= 1 else 3))
