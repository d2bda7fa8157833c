"""Which mark followed from which: from a mark back to the trigger, by what each protocol does. Pure.

A signal goes caller -> client -> wire -> server -> resource; an end that the server makes goes the other way. A mark is
taken for the cause of another only where the protocol has it so, and where it came before. Where no such mark is, the
thread ends, and says at what.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from probes.events import CALLED_BY, TO_CLIENT, TO_SERVER, Layer
from probes.state import LaneState, Mark, Moment

Knot = tuple[Layer, Mark]

_SERVERS_OWN = frozenset({"statement_timeout", "pg_cancel_backend", "pg_terminate_backend", "server deadline"})
"""Causes that begin at the server, beside those that begin with its name."""

_FREED_BY: dict[str, tuple[Layer, ...]] = {
    "grpc": ("wire", "server", "client"),
    "http/1.1": ("wire", "client"),
    "http/2": ("wire", "client"),
    "postgres": ("server", "wire", "client"),
}
"""What gives a lane's resource back: of a stream its end on the wire, of a pool's slot the backend that is ready."""


class Thread(NamedTuple):
    """``knots``: the marks from the one that was asked for back to the first. ``end``: what that one came of, or why
    nobody knows; ``whole``: whether that is the trigger. ``stops``: where the news went no further, and why."""

    knots: tuple[Knot, ...]
    end: str
    whole: bool
    stops: tuple[Layer, str] | None = None


def thread(lane: LaneState, layer: Layer, mark: Mark) -> Thread:
    """From a mark of a lane back to what caused it."""
    knots = [(layer, mark)]
    while (came_of := _cause(lane, *knots[-1])) is not None and came_of not in knots:
        knots.append(came_of)
    end, whole = _origin(lane, *knots[-1])
    return Thread(tuple(knots), end, whole, _stops(lane))


# --- one step -------------------------------------------------------------------------------------------


def _cause(lane: LaneState, layer: Layer, mark: Mark) -> Knot | None:
    match layer, mark.moment:
        case "caller", Moment.DONE:
            return _last(lane, mark, ("client", Moment.DONE))
        case "caller", _:
            return _last(lane, mark, ("client", Moment.DONE), ("caller", Moment.DONE))
        case "client", Moment.DONE:
            return _last(lane, mark, ("caller", Moment.DONE)) or _wire(lane, mark, TO_CLIENT)
        case "client", _:
            return _last(lane, mark, ("client", Moment.DONE)) or _last(lane, mark, ("caller", Moment.DONE))
        case "wire", _:
            return _behind_frame(lane, mark)
        case "server", Moment.DONE:
            return None if by_server(lane) else _wire(lane, mark, TO_SERVER) or _wire(lane, mark, _CUT)
        case "server", _:
            return _last(lane, mark, ("server", Moment.DONE))
    return _freed(lane, mark)


def _behind_frame(lane: LaneState, mark: Mark) -> Knot | None:
    """Whoever sent it, or was asked for it."""
    if mark.evidence.startswith(_CUT):
        return None
    if mark.evidence.startswith(TO_CLIENT):
        return _last(lane, mark, ("server", Moment.DONE)) or _wire(lane, mark, TO_SERVER)
    # gRPC's core sends before Python hears of it: then the caller's signal is what it followed from.
    return _last(lane, mark, ("client", Moment.DONE)) or _last(lane, mark, ("caller", Moment.DONE))


def _freed(lane: LaneState, mark: Mark) -> Knot | None:
    """What gave the resource back."""
    for layer in _FREED_BY.get(lane.plan.protocol, ("wire", "client")):
        found = _last(lane, mark, *((layer, moment) for moment in Moment))
        if found is not None:
            return found
    return _last(lane, mark, ("caller", Moment.DONE))


def _last(lane: LaneState, mark: Mark, *kinds: tuple[Layer, Moment]) -> Knot | None:
    """The last mark of these kinds that is not behind ``mark``."""
    return _newest(
        (layer, each)
        for layer, moment in kinds
        for each in lane.layer(layer).marks
        if each.moment is moment and each.t <= mark.t and each is not mark
    )


def _wire(lane: LaneState, mark: Mark, way: str) -> Knot | None:
    """The last interrupt that went this way, and not behind ``mark`` by more than both can be off."""
    return _newest(
        ("wire", each)
        for each in lane.layer("wire").marks
        if each.evidence.startswith(way) and each.t <= mark.t + mark.err + each.err and each is not mark
    )


def _newest(knots: Iterable[Knot]) -> Knot | None:
    return max(knots, key=lambda knot: knot[1].t, default=None)


_CUT = "cut by the tap"

# --- the ends -------------------------------------------------------------------------------------------


def by_server(lane: LaneState) -> bool:
    """Whether the lane's cause acts at the server."""
    return lane.plan.cause.startswith("server ") or lane.plan.cause in _SERVERS_OWN


def _origin(lane: LaneState, layer: Layer, mark: Mark) -> tuple[str, bool]:
    """What the first knot came of, and whether that is the trigger."""
    zero = "" if lane.zero is None else lane.zero.cause
    caller = str(lane.plan.options.get(CALLED_BY, ""))
    if mark.evidence.startswith(_CUT):
        return "the tap cut it, as it was told to", False
    if layer in ("caller", "client") and caller and lane.layer("caller").first(Moment.DONE) is not None:
        return f"the handler of {caller}, which makes this call", False
    if layer in ("server", "resource") and not by_server(lane) and lane.layer("wire").started is None:
        return "the wire was not watched", False
    if layer == "server" and not by_server(lane):
        return "no frame came before it: the server knew by itself", False
    return zero or "no trigger", bool(zero)


def _stops(lane: LaneState) -> tuple[Layer, str] | None:
    """Where the news of the cancel ended although it had further to go; said when the run has settled."""
    if lane.zero is None or lane.teardown is None or by_server(lane):
        return None
    died = next((link for link in lane.links if link.effect == "died"), None)
    if died is not None and lane.layer("client").first(Moment.DONE) is None:
        return "client", f"it died at the link {died.name}"
    wire, server = lane.layer("wire"), lane.layer("server")
    if wire.started is None or server.started is None or wire.outcome == "completed":
        return None
    if not wire.marks:
        return "wire", "nothing was seen on the wire"
    if lane.swallowed:
        return "server", "the server heard it and went on"
    return ("server", "the server shows no sign of it") if server.first(Moment.DONE) is None else None
