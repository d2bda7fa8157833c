"""httpx's timers: each covers one kind of wait, and is set anew for each of them. None is for the whole call."""

from __future__ import annotations

import math
from typing import NamedTuple

from probes.catalogue import IDLE
from probes.events import LanePlan
from probes.forecast.window import (
    AT_ONCE,
    FOREVER,
    SHORT,
    SOON,
    SOON_S,
    Timer,
    Window,
    about,
    disturbed_end,
    disturbing,
    handed_on,
    held,
    over,
    silent_from,
    streaming,
)
from probes.units import seconds_text

STEPS = ("connect", "read", "write", "pool")
_FILLING = Window(0.0, 1.0)
"""How long the kernels take to be full of a body that nobody reads."""
_UPLOAD = {"write timeout": "stalled", "read timeout": "window"}


class Wait(NamedTuple):
    """A wait that one of httpx's timers covers: when it begins, how long it is, and what is waited for."""

    timer: str
    since: Window
    length: Window
    what: str


def timers(plan: LanePlan) -> list[Timer]:
    """Those of httpx that are set."""
    return [_timer(plan, name, seconds) for name in STEPS if (seconds := plan.timeouts.get(name)) is not None]


def end(plan: LanePlan) -> Window:
    """When the call is over by itself."""
    return disturbed_end(plan, _end(plan))


def cannot(plan: LanePlan) -> str:
    """Why nothing can be said of httpx's timers."""
    if plan.options.get("sibling") or plan.options.get("abandoned"):
        return "another request on its connection can set off or hold up httpx's timers"
    return ""


def _timer(plan: LanePlan, name: str, seconds: float) -> Timer:
    if not handed_on(plan):
        return Timer(name, seconds, None, f"a link of the middleware does not hand {name} on")
    waits = [wait for wait in _waits(plan) if wait.timer == name]
    if not waits:
        window = over(seconds, SHORT, SOON)
        why = _idle(plan, name) if window is None else f"what {name} covers is over in a moment, and it is as short"
        return Timer(name, seconds, window, why, covers=False)
    for wait in waits:
        if (window := over(seconds, wait.length, wait.since)) is not None:
            return Timer(name, seconds, window, f"{name} counts from when it waits for {wait.what}")
    last = waits[-1]
    each = "each of its waits is shorter" if last.length.latest < math.inf else "it is not waited for"
    return Timer(name, seconds, None, f"{name} is set anew for {last.what}, and {each}")


def _idle(plan: LanePlan, name: str) -> str:
    if plan.phase == IDLE:
        return f"no request is open: nothing that {name} covers is waited for"
    return f"{name} covers another wait than that of the phase {plan.phase}"


def _waits(plan: LanePlan) -> list[Wait]:
    if disturbing(plan):
        return _disturbed(plan)
    match plan.phase:
        case "DNS":
            return [Wait("connect", AT_ONCE, held(plan.delay), "the name")]
        case "TCP connect":
            return [Wait("connect", AT_ONCE, FOREVER, "an answer to its SYN")]
        case "TLS handshake":
            return [Wait("connect", SOON, held(plan.delay), "the handshake, with a second budget of its own")]
        case "pool wait":
            return [Wait("pool", AT_ONCE, held(plan.delay), "a connection of the pool")]
        case "request body":
            return _sending(plan)
        case "response headers":
            return [Wait("read", SOON, about(plan.delay), "the response's head")]
        case "response body":
            first = Wait("read", SOON, about(plan.delay), "the first byte")
            return [first, Wait("read", _first_chunk(plan), _gap(plan), f"the next chunk, {_every(plan)}")]
    return []


def _sending(plan: LanePlan) -> list[Wait]:
    kind = upload(plan)
    if kind == "window" and plan.protocol == "http/2":
        return [Wait("read", SOON, FOREVER, "the peer's window, which it gets by reading (RFC 9113, 5.2)")]
    if kind == "paced":
        return []
    length = held(plan.delay) if kind == "stalled" else FOREVER
    return [Wait("write", _FILLING, length, "room in the kernel's buffers")]


def upload(plan: LanePlan) -> str:
    """Why an upload waits: ``stalled``, ``window`` or ``paced``; what its cause needs where the plan says nothing."""
    return str(plan.options.get("upload", _UPLOAD.get(plan.cause, "paced")))


def _disturbed(plan: LanePlan) -> list[Wait]:
    """Where the tap lets nothing through any more, the next read waits for ever; anything else cannot be said."""
    reached = _first_chunk(plan) if plan.phase == "response body" else SOON
    more = max(0, plan.after - 1) * plan.interval if plan.phase == "response body" else 0.0
    since = silent_from(plan, Window(reached.soonest + more, reached.latest + more * 1.25 + SOON_S))
    if since is not None and plan.phase in ("response headers", "response body"):
        return [Wait("read", since, FOREVER, "what the tap holds back")]
    return [Wait(name, AT_ONCE, Window(0.0, math.inf), "what a fault of the tap holds up") for name in STEPS]


def _first_chunk(plan: LanePlan) -> Window:
    return Window(plan.delay, plan.delay * 1.25 + SOON_S)


def _gap(plan: LanePlan) -> Window:
    return about(plan.interval, 0.05) if plan.chunks > 1 else SHORT


def _every(plan: LanePlan) -> str:
    return f"every {seconds_text(plan.interval)}" if plan.interval else "without a pause"


def _end(plan: LanePlan) -> Window:
    match plan.phase:
        case "DNS" | "TLS handshake" | "pool wait":
            return held(plan.delay)
        case "TCP connect" | "idle":
            return FOREVER
        case "request body":
            return streaming(plan) if upload(plan) == "paced" else held(plan.delay)
        case "response headers":
            return about(plan.delay)
        case "response body":
            return streaming(plan)
    return Window(0.0, math.inf)
