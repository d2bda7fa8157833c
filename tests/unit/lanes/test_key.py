"""The key, in each phase of each lane: what every layer says, and the frame or packet that proves it."""

from __future__ import annotations

import os
import re
import signal

import pytest

from probes.events import (
    BackendState,
    ChunkReceived,
    CleanedUp,
    ConnectionClosed,
    FrameSeen,
    LanePlan,
    RunEnded,
    SpanCancelled,
    SpanStarted,
    Trigger,
)
from probes.machine import State
from probes.state import LaneState, Mark, Moment
from probes.verdict import CLEAN, LEAK, NOT_CANCELLED, PHASE_MISSED, ZOMBIE, seen, verdict
from tests.kit.lab_kit import PATIENT, WATCHED, Lab, Ran, lane, settle

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLOT_BACK = "pool slot back, 2 of 2 free; connection kept"
GRPC = lane("grpc", "mid-stream", interval="10ms")
HTTP1 = [
    lane("http/1.1", "response body", interval="10ms"),
    lane("http/1.1", "response headers", delay="30s"),
    lane("http/1.1", "request body", interval="10ms"),
]
HTTP2 = [
    lane("http/2", "response body", interval="10ms"),
    lane("http/2", "response headers", delay="30s"),
    lane("http/2", "request body", interval="10ms"),
]
EXECUTING = lane("postgres", "statement executing", delay="30s")
ROWS = lane("postgres", "rows streaming", interval="10ms")
ALL = [GRPC, *HTTP1, *HTTP2, EXECUTING, ROWS]
FOUR = [GRPC, HTTP1[0], HTTP2[0], EXECUTING]


def named(plan: LanePlan) -> str:
    return f"{plan.lane}, {plan.phase}"


def mark(found: LaneState, layer: str, moment: Moment) -> Mark:
    mark = found.layer(layer).first(moment)  # type: ignore[arg-type]
    assert mark is not None, f"{found.name}: no {moment} of {layer}"
    return mark


def told(ran: Ran, plan: LanePlan) -> LaneState:
    """What holds for every lane that a key cancels in its phase; its state."""
    found = ran.lane(plan.lane)
    assert found.phase == plan.phase
    assert found.zero is not None
    assert found.zero.cause == "key"
    assert ran.told()[plan.lane] == 1
    done = [mark(found, layer, Moment.DONE) for layer in ("caller", "client")]
    assert found.zero.t <= done[0].t <= done[1].t
    assert [each.evidence for each in done] == ["task.cancel(), key", "CancelledError"]
    assert found.client.state is State.CANCELLED
    assert [row.outcome for row in found.layers[:2]] == ["cancelled", "cancelled"]
    assert 0 < found.key_ns <= found.zero.t
    return found


def clean(ran: Ran, plan: LanePlan, wire: str, server: str, resource: str) -> LaneState:
    """A lane that is told on all five layers, each with this evidence (patterns); its state."""
    found = told(ran, plan)
    interrupt = found.layer("wire").last(Moment.INTERRUPT)
    assert interrupt is not None
    evidence = {
        "wire": (interrupt.evidence, wire),
        "server": (mark(found, "server", Moment.DONE).evidence, server),
        "resource": (mark(found, "resource", Moment.CLEANUP).evidence, resource),
    }
    for layer, (text, pattern) in evidence.items():
        assert re.fullmatch(pattern, text), (layer, text)
    assert mark(found, "server", Moment.DONE).t <= mark(found, "server", Moment.CLEANUP).t
    assert found.server.state is State.CANCELLED
    assert found.residue == {}
    assert ran.printed(plan.lane)["zombie"] == {"ms": 0.0, "bytes": 0}
    assert verdict(found, ran.state.ended or 0) == CLEAN
    return found


def grpc(ran: Ran, plan: LanePlan = GRPC) -> None:
    found = clean(
        ran,
        plan,
        r"client>server RST_STREAM CANCEL\(8\)",
        r"CancelledError at (sleep after|write) #\d+, told by grpc\.aio",
        r"connection kept; stream \d+: client>server RST_STREAM CANCEL\(8\)",
    )
    assert ran.answers(plan.lane) == ["→ RST_STREAM CANCEL(8)"]
    assert not ran.of(ConnectionClosed, plan.lane)
    assert found.chunks.read >= 1
    assert found.chunks.accepted is not None


def http1(ran: Ran, plan: LanePlan) -> None:
    where = {
        "response body": r"(sleep after|write) #\d+",
        "response headers": "sleep before head",
        "request body": r"(sleep after read|read) #\d+",
    }
    found = clean(
        ran,
        plan,
        "client>server (FIN|RST)",
        f"CancelledError at {where[plan.phase]}, told by (FIN|RST|RST .broken pipe.)",
        "pool slot back, connection closed",
    )
    assert [frame for frame in ran.answers(plan.lane) if frame.startswith("→ ")][-1] in ("→ FIN", "→ RST")
    moved(found)


def moved(found: LaneState) -> None:
    """Chunks went the way of the body that is cancelled."""
    reader, sender = found.chunks.read, found.chunks.accepted or 0
    assert (reader >= 1) == (found.phase == "response body") or found.phase == "request body"
    assert (sender >= 1) == (found.phase != "response headers")


def http2(ran: Ran, plan: LanePlan) -> None:
    found = told(ran, plan)
    assert ran.answers(plan.lane) == []
    assert not seen(found, "client", mark(found, "client", Moment.DONE))
    assert [found.layer(layer).marks for layer in ("wire", "server", "resource")] == [(), (), ()]
    assert found.server.state is (State.STREAMING if plan.phase == "response headers" else State.PARTIAL_SENT)
    moved(found)
    assert found.residue == {"handlers": 1, "streams": 1}
    printed = ran.printed(plan.lane)
    assert printed["verdict"] == ZOMBIE
    assert printed["zombie"]["ms"] >= ran.state.settle * 1000
    assert (printed["zombie"]["bytes"] > 0) == (plan.phase == "response body") or plan.phase == "request body"
    ended_by_teardown(ran, plan.lane)


def ended_by_teardown(ran: Ran, name: str) -> None:
    """Only the lab's own closing of the client ends the handler, still within the run."""
    found = ran.lane(name)
    assert found.teardown is not None
    (handler,) = [event for event in ran.of(SpanCancelled, name) if event.layer == "server"]
    assert re.search(r"told by (FIN|RST)", handler.evidence)
    assert handler.t > found.teardown
    (cleaned,) = [event for event in ran.of(CleanedUp, name) if event.layer == "server"]
    assert cleaned.t < ran.of(RunEnded)[0].t


def statement(ran: Ran, plan: LanePlan = EXECUTING) -> None:
    found = clean(ran, plan, "server>client ErrorResponse 57014", "ErrorResponse 57014", SLOT_BACK)
    frames = {
        frame.name: frame for frame in ran.of(FrameSeen, plan.lane) if frame.t >= (found.zero.t if found.zero else 0)
    }
    asked, answer = frames["CancelRequest"], frames["ErrorResponse"]
    assert mark(found, "client", Moment.DONE).t < asked.t < answer.t
    assert asked.conn != answer.conn
    assert ran.answers(plan.lane).index("← ErrorResponse 57014") < ran.answers(plan.lane).index("← ReadyForQuery idle")
    assert re.fullmatch("ReadyForQuery idle", mark(found, "server", Moment.CLEANUP).evidence)
    closed = [event for event in ran.of(ConnectionClosed, plan.lane) if event.t < (found.teardown or 0)]
    assert [event.conn for event in closed] == [asked.conn]
    states = [event.state for event in ran.of(BackendState, plan.lane)]
    assert states[-2:] == ["active", "idle"]


def rows(ran: Ran, plan: LanePlan = ROWS) -> None:
    """A cancel that meets the cursor between two fetches is answered by the ROLLBACK alone."""
    found = clean(
        ran,
        plan,
        "server>client (ErrorResponse 57014|CommandComplete ROLLBACK)",
        "(ErrorResponse 57014|CommandComplete ROLLBACK)",
        SLOT_BACK,
    )
    answers = ran.answers(plan.lane)
    assert "← CommandComplete ROLLBACK" in answers
    assert "← ErrorResponse 57014" not in answers or answers.index("→ CancelRequest") < answers.index(
        "← ErrorResponse 57014"
    )
    assert found.chunks.read >= 1


CHECKS = {"grpc": grpc, "http/1.1": http1, "http/2": http2}


def check(ran: Ran, plan: LanePlan) -> None:
    if plan.protocol == "postgres":
        (statement if plan.phase == "statement executing" else rows)(ran, plan)
    else:
        CHECKS[plan.protocol](ran, plan)


@pytest.mark.parametrize("plan", ALL, ids=named)
async def test_one_lane(lab: Lab, plan: LanePlan) -> None:
    ran = await lab.cancelled(plan, settle=0.4 if plan.protocol == "http/2" else PATIENT)
    assert ran.state.outcome == "settled"
    assert ran.triggers() == [("", "key")]
    check(ran, plan)


async def test_a_cursor_that_is_never_executing_for_long(lab: Lab) -> None:
    ran = await lab.cancelled(lane("postgres", "rows streaming", interval="0s"))
    rows(ran)


async def test_all_four_at_once(lab: Lab) -> None:
    ran = await lab.cancelled(*FOUR, settle=WATCHED)
    assert ran.told() == {plan.lane: 1 for plan in FOUR}
    for plan in FOUR:
        check(ran, plan)
    assert {ran.lane(plan.lane).zero for plan in FOUR} == {ran.state.zero}
    assert ran.result["skew_us"]["done"] > 0


async def test_run_after_run_nothing_is_left(lab: Lab) -> None:
    await lab.cancelled(*FOUR, settle=0.1)
    ran = await lab.cancelled(*FOUR, settle=0.1)
    assert ran.result["census"]["leaked"] == {}
    again = await lab.cancelled(*FOUR, settle=0.1)
    conns = [{frame.conn for frame in run.of(FrameSeen, "grpc") if frame.name == "HEADERS"} for run in (ran, again)]
    assert conns[0] == conns[1], "grpc keeps its connection over a cancel"


@pytest.mark.parametrize("first", FOUR, ids=named)
async def test_one_lane_of_four_and_then_the_rest(lab: Lab, first: LanePlan) -> None:
    run = lab.fire(*FOUR, settle=WATCHED)
    await lab.armed(run)
    lab.cancel(first.lane)
    await lab.over(run, first.lane)
    others = [plan.lane for plan in FOUR if plan is not first]
    assert not [name for name in others if name in lab.over_now(run)]
    lab.cancel()
    ran = await lab.ended(run)
    assert ran.triggers() == [(first.lane, "key"), ("", "key")]
    assert ran.told() == {plan.lane: 1 for plan in FOUR}
    for plan in FOUR:
        check(ran, plan)
        assert ran.lane(plan.lane).zero is not None
    zeros = [ran.lane(name).zero for name in (first.lane, *others)]
    assert zeros[0] != zeros[1] == zeros[2] == zeros[3]


async def test_cancelled_again_and_again(lab: Lab) -> None:
    run = lab.fire(*FOUR, settle=WATCHED)
    await lab.armed(run)
    for name in ("", "grpc", "", "http/2", "postgres", "nobody"):
        lab.cancel(name)
    await lab.over(run, "postgres")
    lab.cancel()
    ran = await lab.ended(run)
    assert ran.triggers() == [("", "key")]
    assert ran.told() == {plan.lane: 1 for plan in FOUR}
    for plan in FOUR:
        check(ran, plan)


@pytest.mark.parametrize("plan", ALL, ids=named)
async def test_cancelled_as_soon_as_it_is_fired(lab: Lab, plan: LanePlan) -> None:
    """The key comes at some moment on the way to the phase, mostly before the call: it is told all the same, once."""
    run = lab.fire(plan, settle=settle(plan))
    lab.cancel()
    ran = await lab.ended(run)
    assert ran.state.outcome == "settled"
    assert (ran.triggers(), ran.told()) == ([("", "key")], {plan.lane: 1})
    found = ran.lane(plan.lane)
    assert found.client.state is State.CANCELLED
    assert mark(found, "client", Moment.DONE).evidence == "CancelledError"
    assert ran.result["census"]["leaked"] == {}
    if plan.protocol == "http/2" and [event for event in ran.of(SpanStarted, plan.lane) if event.layer == "server"]:
        assert found.residue == {"handlers": 1, "streams": 1}
        return
    # At some turns of the loop httpcore loses the slot (test_http_defects): then that is said, and no more is left.
    lost = plan.protocol.startswith("http/") and found.residue == {"pool slots": 1}
    assert found.residue == {} or lost
    assert ran.printed(plan.lane)["verdict"] == ((LEAK if lost else CLEAN) if found.phase else PHASE_MISSED)


@pytest.mark.parametrize("plan", [HTTP1[1], HTTP2[1], EXECUTING], ids=named)
async def test_cancelled_while_the_others_are_not_there_yet(lab: Lab, plan: LanePlan) -> None:
    """One lane is cancelled in its phase, before another has come to its own."""
    late = lane("grpc", "mid-stream", delay="300ms", interval="10ms")
    run = lab.fire(plan, late, settle=settle(plan, late))
    await lab.in_phase(run, plan.lane)
    lab.cancel(plan.lane)
    await lab.over(run, plan.lane)
    await lab.armed(run)
    lab.cancel()
    ran = await lab.ended(run)
    check(ran, plan)
    grpc(ran, late)


async def test_servers_that_are_late_are_heard_out(lab: Lab) -> None:
    """The call is over before its handler has begun: the servers process was busy with something else."""
    plan = HTTP1[2]
    servers = lab.pid("servers")
    os.kill(servers, signal.SIGSTOP)
    try:
        run = lab.fire(plan, settle=PATIENT)
        await lab.armed(run)
        lab.cancel()
        await lab.until(lambda: [event for event in lab.of(FrameSeen, run) if event.name in ("FIN", "RST")])
    finally:
        os.kill(servers, signal.SIGCONT)
    http1(await lab.ended(run), plan)


SHORT = [
    lane("grpc", "mid-stream", chunks=3, interval="1ms"),
    lane("http/1.1", "response body", chunks=3, interval="1ms"),
    lane("http/2", "response body", chunks=3, interval="1ms"),
    lane("postgres", "rows streaming", chunks=3, interval="1ms"),
]


@pytest.mark.parametrize("plan", SHORT, ids=named)
async def test_a_lane_that_has_ended_is_not_cancelled(lab: Lab, plan: LanePlan) -> None:
    other = HTTP1[1] if plan.protocol != "http/1.1" else GRPC
    run = lab.fire(plan, other, settle=settle(plan, other))
    await lab.over(run, plan.lane)
    await lab.in_phase(run, other.lane)
    lab.cancel(plan.lane)
    lab.cancel()
    ran = await lab.ended(run)
    assert ran.triggers() == [("", "key")]
    assert ran.told() == {other.lane: 1}
    check(ran, other)
    found = ran.lane(plan.lane)
    assert found.zero is None
    assert (found.client.state, found.server.state) == (State.COMPLETED, State.COMPLETED)
    assert (found.chunks.read, found.chunks.on_wire) == (3, 3)
    assert sum(event.n for event in ran.of(ChunkReceived, plan.lane)) == 3
    assert found.residue == {}
    assert ran.printed(plan.lane)["verdict"] == NOT_CANCELLED


async def test_lanes_that_all_end_by_themselves_settle_without_a_trigger(lab: Lab) -> None:
    run = lab.fire(*SHORT)
    ran = await lab.ended(run)
    assert ran.state.outcome == "settled"
    assert not ran.of(Trigger)
    assert ran.result["trigger"] == {"cause": None}
    assert {ran.printed(plan.lane)["verdict"] for plan in SHORT} == {NOT_CANCELLED}
