"""The gRPC lane: each shape in each phase, ended by each cause that the client has; what wire and handler say."""

from __future__ import annotations

import re

import pytest

from probes.events import SpanCancelled
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, LEAK, TOO_LATE, ZOMBIE, verdict
from tests.kit.grpc_lanes import FIRST, LAST, MID, evidence, in_phase, lanes, place
from tests.kit.lab_kit import Lab, Ran, lane

pytestmark = pytest.mark.asyncio(loop_scope="module")

AWAITS = {
    ("unary", FIRST): "sleep before response",
    ("client stream", FIRST): "sleep before response",
    ("client stream", MID): r"(sleep after )?read #\d+",
    ("client stream", LAST): r"sleep before response|(sleep after )?read #\d",
    ("server stream", FIRST): "sleep before first chunk",
    ("bidi", FIRST): "sleep before first chunk",
    ("server stream", LAST): "sleep after (the last chunk|#4)",
    ("bidi", LAST): "sleep after (the last chunk|#4)",
}
"""Where the handler is then, as a pattern; in the middle of a stream of responses between two writes."""
_BETWEEN = r"(read|write|sleep after) #\d+"

RST = "client>server RST_STREAM CANCEL(8)"


def server_told(found: LaneState) -> None:
    told = evidence(found, "server", Moment.DONE)
    where = AWAITS.get(place(found), _BETWEEN)
    assert re.fullmatch(f"\\w+ at ({where}), told by .+", told), (found.name, told)
    assert found.server.state is State.CANCELLED
    assert evidence(found, "server", Moment.CLEANUP) == "finally ran"


def clean(ran: Ran, found: LaneState) -> None:
    assert verdict(found, ran.state.ended or 0) == CLEAN, found.name
    assert found.residue == {}


@pytest.mark.parametrize("cause", ["task.cancel", "call.cancel", "channel.close"])
async def test_a_cancel_resets_the_stream(lab: Lab, cause: str) -> None:
    ran = await lab.cancelled(*lanes(cause))
    for found in in_phase(ran):
        assert evidence(found, "client", Moment.DONE) == "CancelledError"
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        assert ran.answers(found.name)[0] == "→ RST_STREAM CANCEL(8)"
        assert (found.client.state, found.layer("caller").outcome) == (State.CANCELLED, "cancelled")
        server_told(found)
        told = "task.cancel(), key" if cause == "task.cancel" else "CancelledError"
        assert evidence(found, "caller", Moment.DONE) == told
        if cause == "channel.close" and place(found) == ("client stream", MID):
            socket_kept(ran, found)
        else:
            clean(ran, found)


def socket_kept(ran: Ran, found: LaneState) -> None:
    """A channel that was closed has its socket as long as there is a Call. One whose write was cut is in a cycle with
    its own task, and waits for the garbage collector (measured, grpcio 1.85)."""
    assert verdict(found, ran.state.ended or 0) == LEAK, found.name
    assert found.residue == {"connections": 1}


async def test_a_call_that_is_kept_keeps_the_socket_of_its_closed_channel(lab: Lab) -> None:
    plans = [
        lane("grpc", MID, name=name, cause="channel.close", options={"keep_call": name == "kept"})
        for name in ("kept", "let go")
    ]
    kept, let_go = in_phase(ran := await lab.cancelled(*plans))
    socket_kept(ran, kept)
    clean(ran, let_go)
    assert evidence(let_go, "resource", Moment.CLEANUP).endswith("RST_STREAM CANCEL(8); connection closed")
    assert ran.result["census"]["leaked"] == {}


async def test_a_channel_that_closes_with_grace_lets_a_call_end_that_can(lab: Lab) -> None:
    endless, short = in_phase(
        ran := await lab.cancelled(
            lane("grpc", MID, name="endless", interval="10ms", cause="channel.close", options={"grace": 0.4}),
            lane("grpc", MID, name="short", interval="10ms", cause="channel.close", chunks=10, options={"grace": 10.0}),
        )
    )
    clean(ran, endless)
    stopped = endless.layer("wire").first(Moment.INTERRUPT)
    assert stopped is not None
    assert endless.zero is not None
    assert stopped.t - endless.zero.t > 390_000_000
    assert [short.layer(layer).outcome for layer in ("caller", "client", "server")] == ["completed"] * 3
    assert verdict(short, ran.state.ended or 0) == TOO_LATE


@pytest.mark.parametrize("window", ["small", "default"])
async def test_the_default_window_hides_a_stream(lab: Lab, window: str) -> None:
    """1.6 MiB of which the caller reads 80 KiB: with grpc's own window the server sends it all, and nobody is told."""
    plan = lane("grpc", MID, after=5, size=16384, chunks=100, interval="0s", options={"pause": True, "window": window})
    run = lab.fire(plan)
    await lab.armed(run)
    # All that can move has moved.
    await lab.until(lambda: moved(lab.ran(run).state.lanes[0]))
    lab.cancel()
    ran = await lab.ended(run)
    (found,) = in_phase(ran)
    assert found.chunks.read == 5
    if window == "default":
        assert (found.chunks.accepted, found.chunks.on_wire) == (100, 100)
        assert verdict(found, ran.state.ended or 0) == TOO_LATE
        assert (found.layer("wire").outcome, found.layer("wire").marks) == ("completed", ())
    else:
        clean(ran, found)
        assert evidence(found, "wire", Moment.INTERRUPT) == RST


def moved(found: LaneState) -> bool:
    """The stream is over, or its next write waits for the window."""
    return found.layer("wire").outcome == "completed" or (found.server.chunks, found.plan.options["window"]) == (
        6,
        "small",
    )


async def test_a_reading_handler_takes_a_cancel_for_the_end_of_its_stream(lab: Lab) -> None:
    """Where it reads it gets the end of the stream, and no CancelledError: only an end mark tells them apart."""
    plan = lane("grpc", MID, shape="bidi", after=3, interval="0s", options={"pause": True})
    (found,) = in_phase(ran := await lab.cancelled(plan))
    clean(ran, found)
    told = "UploadCut at read #4, told by the end of its stream without the end mark"
    # A handler that has answered and is not back at its read, on a busy machine.
    late = "CancelledError at sleep after #3, told by grpc.aio"
    assert evidence(found, "server", Moment.DONE) in (told, late)


async def test_a_handler_that_believes_its_context_works_on(lab: Lab) -> None:
    asks = lane("grpc", FIRST, shape="unary", delay="700ms", behaviour="asks-context")
    (found,) = in_phase(ran := await lab.cancelled(asks, settle=5.0))
    assert evidence(found, "wire", Moment.INTERRUPT) == RST
    assert evidence(found, "server", Moment.DONE).endswith("told by grpc.aio, context.cancelled() False")
    assert verdict(found, ran.state.ended or 0) == ZOMBIE
    assert found.swallowed == 1


async def test_a_task_that_is_suspended_elsewhere_cancels_nothing(lab: Lab) -> None:
    ran = await lab.cancelled(*lanes("task.cancel elsewhere"), settle=0.3)
    for found in in_phase(ran):
        assert evidence(found, "caller", Moment.DONE) == "task.cancel(), key"
        assert found.client.state is State.CANCELLED
        assert ran.answers(found.name) == []
        unheard(ran, found)
    assert ran.result["census"]["leaked"] == {}


def unheard(ran: Ran, found: LaneState) -> None:
    """Nothing stopped the call, and only the teardown did."""
    assert found.layer("wire").marks == ()
    assert found.layer("server").marks == ()
    assert verdict(found, ran.state.ended or 0) == ZOMBIE
    assert found.residue == {"handlers": 1, "streams": 1, "calls": 1}
    (end,) = [event for event in ran.of(SpanCancelled, found.name) if event.layer == "server"]
    assert found.teardown is not None
    assert end.t > found.teardown


async def test_leaving_the_loop_leaves_the_call(lab: Lab) -> None:
    ran = await lab.cancelled(lane("grpc", MID, cause="break", interval="10ms"), settle=0.3)
    (found,) = in_phase(ran)
    assert evidence(found, "caller", Moment.DONE) == "break out of async for, key"
    assert [found.layer(layer).outcome for layer in ("caller", "client")] == ["completed", "completed"]
    unheard(ran, found)


# --- timers ---------------------------------------------------------------------------------------------

TIMER = "1500ms"
"""Long enough to be in the phase on a busy machine."""


async def test_asyncio_timeout_resets_the_stream(lab: Lab) -> None:
    ran = await lab.ended(lab.fire(*lanes("asyncio.timeout", timeouts={"asyncio.timeout": TIMER})))
    for found in in_phase(ran):
        assert found.zero is not None
        assert found.zero.cause == "asyncio.timeout"
        assert evidence(found, "caller", Moment.DONE) == "TimeoutError"
        assert evidence(found, "wire", Moment.INTERRUPT) == RST
        server_told(found)
        clean(ran, found)


async def test_at_the_deadline_either_side_may_be_first(lab: Lab) -> None:
    """Both have a timer of their own. What a write says that the end overtakes is INTERNAL, and not to be believed."""
    ran = await lab.ended(lab.fire(*lanes("deadline", timeouts={"deadline": TIMER})))
    for found in in_phase(ran):
        assert found.zero is not None
        assert found.zero.cause == "gRPC deadline"
        said = evidence(found, "client", Moment.DONE)
        writes = place(found) in (("client stream", MID), ("bidi", MID))
        assert said.startswith(("AioRpcError DEADLINE_EXCEEDED", "AioRpcError INTERNAL" if writes else "AioRpcError D"))
        assert evidence(found, "wire", Moment.INTERRUPT) in (RST, "server>client HEADERS 4"), found.name
        assert found.client.state is State.FAILED
        server_told(found)
        clean(ran, found)
