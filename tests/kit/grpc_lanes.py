"""Plans for the gRPC lane by the places that a call can be in, and what is read off a lane that was there."""

from __future__ import annotations

from probes.events import LanePlan
from probes.state import LaneState, Moment
from tests.kit.lab_kit import Ran, lane

FIRST, MID, LAST = "first response", "mid-stream", "after the last chunk"
PLACES = [
    ("unary", FIRST),
    ("server stream", FIRST),
    ("server stream", MID),
    ("server stream", LAST),
    ("client stream", FIRST),
    ("client stream", MID),
    ("client stream", LAST),
    ("bidi", FIRST),
    ("bidi", MID),
    ("bidi", LAST),
]
"""Every shape in every phase that it has, once there is a connection."""


def lanes(cause: str, places: list[tuple[str, str]] = PLACES, **fields: object) -> list[LanePlan]:
    """A lane for each place, called by it."""
    found = []
    for shape, phase in places:
        lasting = {} if phase == MID else {"delay": "30s"}
        chunks = {"chunks": 4} if phase == LAST else {}
        plan = {"shape": shape, "cause": cause, "name": f"{shape} {phase}", "interval": "10ms", "after": 3}
        found.append(lane("grpc", phase, **{**plan, **lasting, **chunks, **fields}))
    return found


def evidence(found: LaneState, layer: str, moment: Moment) -> str:
    mark = found.layer(layer).first(moment)  # type: ignore[arg-type]
    assert mark is not None, f"{found.name}: no {moment} of {layer}"
    return mark.evidence


def place(found: LaneState) -> tuple[str, str]:
    return found.plan.shape, found.plan.phase


def in_phase(ran: Ran) -> list[LaneState]:
    """The run's lanes, each of which was in its phase when it was cancelled."""
    for found in ran.state.lanes:
        assert found.zero is not None, found.name
        assert found.reached is not None, found.name
        assert found.reached <= found.zero.t, found.name
    return list(ran.state.lanes)
