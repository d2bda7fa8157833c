"""The gRPC lane before it has a connection: what proves that it tries, and what a cancel does not end."""

from __future__ import annotations

import pytest

from probes.events import FrameSeen, SpanStarted
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, FAILED, LEAK, verdict
from tests.kit.grpc_lanes import evidence, in_phase
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

READY = {"wait_for_ready": True}
TARGETS = {
    "dead": ("connect refused", {"target": "dead", **READY}),
    "stalled": ("CONNECTING, its SYN unanswered (/proc/net/tcp6)", {"target": "stalled"}),
    "stalled, waits": ("CONNECTING, its SYN unanswered (/proc/net/tcp6)", {"target": "stalled", **READY}),
    "hole": ("CONNECTING, TCP is up, no SETTINGS from the server", {"target": "black-hole"}),
    "hole, waits": ("CONNECTING, TCP is up, no SETTINGS from the server", {"target": "black-hole", **READY}),
}
"""What proves each, and its options."""

SHAPES = ("unary", "server stream", "client stream", "bidi")


def targets(cause: str, **fields: object) -> list[object]:
    return [
        lane("grpc", "connecting", name=f"{name.replace(',', '')} by {cause}", cause=cause, options=options, **fields)
        for name, (_, options) in TARGETS.items()
    ]


def tried(ran: Ran) -> list[LaneState]:
    """The lanes, each of which tried to connect by its target's proof, and never had a stream or a handler."""
    proofs = {name.replace(",", ""): proof for name, (proof, _) in TARGETS.items()}
    reached = {event.lane: event.evidence for event in ran.events if event.kind == "phase.reached"}
    for found in in_phase(ran):
        assert reached[found.name] == proofs[found.name.partition(" by ")[0]]
        assert not [frame for frame in ran.of(FrameSeen, found.name) if frame.name == "HEADERS"]
        assert found.server.state is State.IDLE
        (held,) = [event for event in ran.of(SpanStarted, found.name) if event.layer == "resource"]
        assert held.name == "connection attempt"
    assert ran.result["census"]["leaked"] == {}
    return list(ran.state.lanes)


async def test_the_call_ends_and_the_attempt_goes_on(lab: Lab) -> None:
    both = [*targets("task.cancel", shape="unary"), *targets("call.cancel", shape="unary")]
    ran = await lab.cancelled(*both, settle=0.3)
    for found in tried(ran):
        assert evidence(found, "client", Moment.DONE) == "CancelledError"
        assert found.client.state is State.CANCELLED
        dead = found.name.startswith("dead")
        assert verdict(found, ran.state.ended or 0) == (CLEAN if dead else LEAK), found.name
        assert found.residue == ({} if dead else {"connection attempts": 1})


async def test_closing_the_channel_ends_no_attempt_but_makes_it_the_last(lab: Lab) -> None:
    ran = await lab.cancelled(*targets("channel.close", shape="unary"), settle=10.0)
    ends = {
        "dead": "refused: no attempt lasts",
        "stalled": "SYN given up (/proc/net/tcp6)",
        "hole": "client>server FIN",
    }
    for found in tried(ran):
        assert evidence(found, "client", Moment.DONE) == "CancelledError"
        assert evidence(found, "resource", Moment.CLEANUP) == ends[found.name.partition(" ")[0]]
        assert verdict(found, ran.state.ended or 0) == CLEAN
        assert found.residue == {}


async def test_a_timer_ends_the_call(lab: Lab) -> None:
    said = {"asyncio.timeout": "CancelledError", "deadline": "AioRpcError DEADLINE_EXCEEDED"}
    lanes = [plan for timer in said for plan in targets(timer, shape="unary", timeouts={timer: "1s"})]
    ran = await lab.ended(lab.fire(*lanes, settle=0.3))
    for found in tried(ran):
        assert found.zero is not None
        assert found.zero.cause.endswith(found.plan.cause)
        assert evidence(found, "client", Moment.DONE).startswith(said[found.plan.cause])


async def test_a_task_that_is_suspended_elsewhere_leaves_the_call_to_try_for_ever(lab: Lab) -> None:
    ran = await lab.cancelled(*targets("task.cancel elsewhere", shape="unary"), settle=0.3)
    for found in tried(ran):
        assert found.client.state is State.CANCELLED
        assert verdict(found, ran.state.ended or 0) == LEAK
        assert found.residue["calls"] == 1


async def test_every_shape_can_be_cancelled_while_it_connects(lab: Lab) -> None:
    ran = await lab.cancelled(*[lane("grpc", "connecting", name=shape, shape=shape) for shape in SHAPES], settle=0.1)
    for found in in_phase(ran):
        assert found.client.state is State.CANCELLED


@pytest.mark.parametrize("cause", ["call.cancel", "channel.close"])
async def test_a_write_that_waits_for_a_connection_does_not_hear_of_its_calls_end(lab: Lab, cause: str) -> None:
    """A defect of grpc.aio: the event that its write waits for is set by a connection or by a failure alone."""
    plans = [
        lane("grpc", "connecting", name=shape, shape=shape, cause=cause, options={"target": "dead", **READY})
        for shape in ("client stream", "bidi")
    ]
    ran = await lab.cancelled(*plans, settle=0.3)
    for found in in_phase(ran):
        assert [found.layer(layer).marks for layer in ("caller", "client", "resource")] == [(), (), ()]
        assert verdict(found, ran.state.ended or 0) == LEAK
    assert ran.result["census"]["leaked"] == {}


async def test_a_refused_call_that_does_not_wait_fails_by_itself(lab: Lab) -> None:
    ran = await lab.ended(lab.fire(lane("grpc", "connecting", options={"target": "dead"})))
    (found,) = ran.state.lanes
    assert found.zero is None
    assert verdict(found, ran.state.ended or 0) == FAILED
    assert found.client.state is State.FAILED
