"""What is a mark and what is mere traffic."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER
from probes.fold import fold, order_key
from probes.machine import State
from probes.state import LaneState, Moment, RunState
from probes.verdict import (
    CLAIMED,
    CLEAN,
    PHASE_MISSED,
    SWALLOWED,
    TOO_LATE,
    WORDS,
    ZOMBIE,
    headline,
    interrupt,
    missed_phase,
    offset,
    seen,
    skew,
    verdict,
    zombie,
)
from tests.kit.story import ZERO, Story, plan


def started(protocol: str) -> Story:
    """A run of one lane whose call streams: two chunks read, three accepted and on the wire."""
    story = Story(protocol)
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan(protocol, size=100),))
    story(ev.SpanStarted, -8000, layer="caller", span=1, name=CALL)
    story(ev.SpanStarted, -7900, layer="client", span=2, name=CALL)
    story(ev.SpanStarted, -7800, layer="resource", span=3, name="stream")
    if protocol != "postgres":
        story(ev.SpanStarted, -7000, layer="server", span=4, name="handler")
        story(ev.ChunkSent, -6000, layer="server", n=3, size=300, total=3)
    body = {"conn": 1, "direction": TO_CLIENT, "size": 350, "body": 300, "messages": 3}
    story(ev.BytesSeen, -5500, layer="wire", stream=1, **body)
    story(ev.ChunkReceived, -5000, layer="client", n=2, size=200, total=2)
    return story


def cancelled(story: Story) -> Story:
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 10, layer="caller", cause="key")
    story(ev.SpanCancelled, 90, layer="client", span=2, name=CALL, error="CancelledError")
    story(ev.SpanCancelled, 95, layer="caller", span=1, name=CALL, error="CancelledError")
    return story


def frame(story: Story, us: float, name: str, **fields: object) -> Story:
    given = {"conn": 1, "direction": TO_SERVER, "proto": "http/2", "stamp": "kernel", **fields}
    return story(ev.FrameSeen, us, layer="wire", name=name, **given)


def lane_of(story: Story) -> LaneState:
    return fold(sorted(story.events, key=order_key)).lanes[0]


def us(lane: LaneState, layer: ev.Layer, moment: Moment) -> float | None:
    found = offset(lane, lane.layer(layer).first(moment))
    return None if found is None else found / 1000


def test_a_clean_grpc_cancel() -> None:
    story = frame(cancelled(started("grpc")), 600, "RST_STREAM", code="CANCEL(8)", stream=1)
    story(ev.SpanCancelled, 1200, layer="server", span=4, name="handler", error="CancelledError", evidence="at sleep")
    story(ev.CleanedUp, 1250, layer="server", span=4, name="handler")
    story(ev.CleanedUp, 1300, layer="resource", span=3, name="stream", evidence="connection kept")
    lane = lane_of(story)
    assert us(lane, "caller", Moment.DONE) == 10
    assert us(lane, "client", Moment.DONE) == 90
    assert us(lane, "wire", Moment.INTERRUPT) == 600
    assert us(lane, "server", Moment.DONE) == 1200
    assert us(lane, "server", Moment.CLEANUP) == 1250
    assert us(lane, "resource", Moment.CLEANUP) == 1300
    mark = interrupt(lane)
    assert mark is not None
    assert (mark.evidence, mark.stamp) == ("client>server RST_STREAM CANCEL(8)", "kernel")
    assert (lane.client.state, lane.server.state) == (State.CANCELLED, State.CANCELLED)
    assert (lane.chunks.accepted, lane.chunks.on_wire, lane.chunks.read) == (3, 3, 2)
    assert zombie(lane, ZERO + 10**9).ns == 0
    assert verdict(lane, ZERO + 10**9) == CLEAN


def test_http2_that_says_nothing_is_a_zombie_and_its_teardown_is_no_answer() -> None:
    story = cancelled(started("http/2"))
    story(ev.BytesSeen, 50_000, layer="wire", conn=1, direction=TO_CLIENT, size=109, body=100)
    story(ev.TeardownStarted, 1_000_000)
    frame(story, 1_000_100, "FIN", proto="tcp")
    story(ev.SpanCancelled, 1_000_200, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 1_000_300, layer="server", span=4, name="handler")
    story(ev.CleanedUp, 1_000_400, layer="resource", span=3, name="stream")
    lane = lane_of(story)
    assert interrupt(lane) is None
    assert us(lane, "server", Moment.DONE) is None
    assert us(lane, "resource", Moment.CLEANUP) is None
    done = headline(lane, Moment.DONE)
    assert done is not None
    assert not seen(lane, "client", done)
    found = zombie(lane, ZERO + 10**10)
    assert (found.ns, found.size) == (1_000_290_000, 109)
    assert lane.server.state is State.PARTIAL_SENT
    assert verdict(lane, ZERO + 10**10) == ZOMBIE


def test_servers_that_die_leave_no_zombie_and_no_other_lane_is_touched() -> None:
    lanes = (plan("grpc"), plan("postgres"), plan("grpc", cause="server killed", lane="own"))
    story = Story("grpc")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=lanes)
    for span, lane in enumerate(("grpc", "postgres", "own"), start=1):
        story(ev.SpanStarted, -7000, lane=lane, layer="server", span=span, name="handler")
    story(ev.ChildDied, -500, lane="", child="servers", pid=1, status="SIGKILL")
    story(ev.Trigger, 0, lane="", cause="run stopped")
    story(ev.SpanCancelled, 90, lane="grpc", layer="client", span=9, name=CALL, error="CancelledError")
    run = fold(sorted(story.events, key=order_key))
    assert [lane.layer("server").outcome for lane in run.lanes] == ["killed", "", ""]
    assert zombie(run.lanes[0], ZERO + 2_000_000_000).ns == 0


def test_before_the_news_can_have_travelled_nobody_is_called_a_zombie() -> None:
    lane = lane_of(cancelled(started("http/1.1")))
    assert zombie(lane, ZERO + 5_000_000).ns == 0
    assert zombie(lane, ZERO + 50_000_000).ns == 49_990_000


def test_a_server_that_was_told_may_clean_up_after_the_teardown() -> None:
    story = frame(cancelled(started("grpc")), 600, "RST_STREAM", code="CANCEL(8)", stream=1)
    story(ev.SpanCancelled, 1200, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.TeardownStarted, 1_000_000)
    story(ev.CleanedUp, 3_000_000, layer="server", span=4, name="handler")
    lane = lane_of(story)
    assert us(lane, "server", Moment.CLEANUP) == 3_000_000
    assert lane.server.state is State.CANCELLED


def test_the_first_end_of_a_connection_is_the_interrupt_and_the_next_is_not() -> None:
    story = frame(cancelled(started("http/1.1")), 700, "FIN", proto="tcp")
    frame(story, 900, "FIN", proto="tcp", direction=TO_CLIENT)
    lane = lane_of(story)
    assert [mark.t - ZERO for mark in lane.layer("wire").marks] == [700_000]


def test_postgres_is_asked_on_a_second_connection_and_answers_on_the_first() -> None:
    story = started("postgres")
    pg = {"proto": "postgres", "conn": 1}
    frame(story, -7000, "Execute", **pg)
    cancelled(story)
    frame(story, 1400, "CancelRequest", proto="postgres", conn=2)
    frame(story, 1500, "FIN", proto="tcp", conn=2, direction=TO_CLIENT)
    frame(story, 2700, "ErrorResponse", code="57014", direction=TO_CLIENT, **pg)
    frame(story, 2710, "ReadyForQuery", code="idle", direction=TO_CLIENT, **pg)
    lane = lane_of(story)
    assert [mark.evidence for mark in lane.layer("wire").marks] == [
        "client>server CancelRequest",
        "server>client ErrorResponse 57014",
    ]
    assert us(lane, "server", Moment.DONE) == 2700
    assert us(lane, "server", Moment.CLEANUP) == 2710
    assert lane.server.state is State.CANCELLED
    assert not lane.server.violations


def rows(*, fetching: bool) -> Story:
    """A cursor's rows over a connection whose transaction was opened for them; the cancel comes ``fetching`` or not."""
    story = started("postgres")
    pg = {"proto": "postgres", "conn": 1}
    frame(story, -8000, "Query", detail="BEGIN;", **pg)
    frame(story, -7900, "CommandComplete", detail="BEGIN", direction=TO_CLIENT, **pg)
    frame(story, -7000, "Execute", **pg)
    story(ev.BytesSeen, -5400, layer="wire", conn=1, direction=TO_CLIENT, size=350, body=300, messages=3)
    cancelled(story)
    if fetching:
        frame(story, 1400, "CancelRequest", proto="postgres", conn=2)
        frame(story, 2700, "ErrorResponse", code="57014", direction=TO_CLIENT, **pg)
    frame(story, 3000, "Query", detail="ROLLBACK;", **pg)
    frame(story, 3300, "CommandComplete", detail="ROLLBACK", direction=TO_CLIENT, **pg)
    frame(story, 3310, "ReadyForQuery", code="idle", direction=TO_CLIENT, **pg)
    return story


def test_the_transaction_that_is_opened_for_a_statement_is_not_the_statement() -> None:
    lane = lane_of(rows(fetching=True))
    assert lane.layer("server").started == ZERO - 7_000_000
    assert [step.target for step in lane.server.path] == [
        State.STREAMING,
        State.PARTIAL_SENT,
        State.CANCELLING,
        State.CANCELLED,
    ]
    assert [mark.evidence for mark in lane.layer("wire").marks][1:] == ["server>client ErrorResponse 57014"]
    assert us(lane, "server", Moment.DONE) == 2700


def test_a_cancel_between_two_fetches_is_answered_by_the_rollback() -> None:
    lane = lane_of(rows(fetching=False))
    assert [mark.evidence for mark in lane.layer("wire").marks] == ["server>client CommandComplete ROLLBACK"]
    assert us(lane, "wire", Moment.INTERRUPT) == us(lane, "server", Moment.DONE) == 3300
    assert us(lane, "server", Moment.CLEANUP) == 3310
    assert (lane.server.state, lane.server.violations) == (State.CANCELLED, ())
    assert zombie(lane, ZERO + 10**9).ns == 0


@pytest.mark.parametrize("statement", ["BEGIN; SELECT pg_sleep(9)", "BEGINNING", "SELECT 1"])
def test_a_query_that_does_more_than_begin_is_the_statement(statement: str) -> None:
    lane = lane_of(frame(started("postgres"), -7000, "Query", detail=statement, proto="postgres", conn=1))
    assert lane.layer("server").started == ZERO - 7_000_000


def test_the_connection_of_a_cancel_that_a_fault_lost_stops_no_statement() -> None:
    story = started("postgres")
    frame(story, -7000, "Execute", proto="postgres", conn=1)
    cancelled(story)
    lost = {"fault": "lose-cancel", "did": "lost", "what": "CancelRequest", "direction": TO_SERVER}
    story(ev.FaultHit, 1400, layer="wire", conn=2, **lost)
    frame(story, 1500, "FIN", proto="tcp", conn=2)
    assert interrupt(lane_of(story)) is None


def test_a_cut_is_the_taps_own_interrupt_and_neither_the_clients_nor_the_servers() -> None:
    story = cancelled(started("http/1.1"))
    story(ev.FaultStarted, 500, layer="wire", fault="cut", detail="with RST")
    story(ev.FaultHit, 510, layer="wire", conn=1, fault="cut", did="cut", what="RST", direction="")
    story(ev.ConnectionClosed, 520, layer="wire", conn=1, detail="cut with RST by the tap")
    story(ev.FaultEnded, 530, layer="wire", fault="cut", conns=1)
    lane = lane_of(story)
    mark = interrupt(lane)
    assert mark is not None
    assert mark.evidence == "cut by the tap with RST"
    assert lane.layer("wire").outcome == "cut"


def test_a_statement_whose_connection_was_cut_is_ended_by_the_observer_alone() -> None:
    story = started("postgres")
    frame(story, -7000, "Execute", proto="postgres", conn=1)
    story(ev.BackendState, -6900, layer="server", pid=7, state="active", wait="PgSleep")
    cancelled(story)
    frame(story, 500, "FIN", proto="tcp", conn=1)
    story(ev.BackendState, 80_000, layer="server", pid=7, state="idle")
    lane = lane_of(story)
    mark = lane.layer("server").first(Moment.CLEANUP)
    assert mark is not None
    assert (mark.stamp, mark.t - ZERO) == ("poll", 80_000_000)
    assert zombie(lane, ZERO + 10**9).ns == 79_990_000


def test_a_lane_has_its_own_zero_when_its_own_timer_fired_first() -> None:
    story = started("grpc")
    story(ev.Trigger, -1000, cause="gRPC deadline")
    story(ev.SpanFailed, -900, layer="client", span=2, name=CALL, error="AioRpcError", evidence="DEADLINE_EXCEEDED")
    story(ev.SpanFailed, -890, layer="caller", span=1, name=CALL, error="AioRpcError")
    story(ev.Trigger, 0, lane="", cause="key")
    lane = lane_of(story)
    assert lane.zero is not None
    assert (lane.zero.cause, lane.zero.own) == ("gRPC deadline", True)
    assert us(lane, "client", Moment.DONE) == 100
    assert us(lane, "caller", Moment.DONE) == 110
    assert lane.client.state is State.FAILED


def test_a_call_that_was_over_before_the_trigger_is_none_of_its_lanes() -> None:
    story = started("grpc")
    story(ev.SpanCompleted, -500, layer="client", span=2, name=CALL)
    story(ev.SpanCompleted, -490, layer="caller", span=1, name=CALL)
    story(ev.Trigger, 0, lane="", cause="key")
    lane = lane_of(story)
    assert lane.zero is None
    assert verdict(lane, ZERO) == "not cancelled"


def test_all_was_sent_before_the_cancel_came() -> None:
    story = started("grpc")
    story(ev.SpanCompleted, -500, layer="server", span=4, name="handler")
    story(ev.CleanedUp, -490, layer="server", span=4, name="handler")
    cancelled(story)
    lane = lane_of(story)
    assert (lane.client.state, lane.server.state) == (State.CANCELLED, State.COMPLETED)
    assert verdict(lane, ZERO + 10**9) == TOO_LATE


def test_a_call_that_completed_although_its_task_was_cancelled_hides_the_cancel() -> None:
    story = started("grpc")
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 5, layer="caller", cause="key", how="task.cancel")
    frame(story, 400, "RST_STREAM", code="CANCEL(8)", stream=1)
    story(ev.SpanCancelled, 450, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 460, layer="server", span=4, name="handler")
    story(ev.SpanCompleted, 500, layer="client", span=2, name=CALL)
    story(ev.SpanCompleted, 510, layer="caller", span=1, name=CALL)
    lane = lane_of(story)
    assert verdict(lane, ZERO + 10**9) == SWALLOWED
    left_a_loop = msgspec.structs.replace(lane, plan=dataclasses.replace(lane.plan, cause="break"))
    assert verdict(left_a_loop, ZERO + 10**9) == TOO_LATE


def test_a_timeout_whose_cancel_was_caught_is_hidden_as_well() -> None:
    story = started("grpc")
    story(ev.SpanCancelled, 450, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 460, layer="server", span=4, name="handler")
    story(ev.SpanCompleted, 500, layer="client", span=2, name=CALL)
    story(ev.Trigger, 0, cause="asyncio.timeout")
    story(ev.SpanCompleted, 510, layer="caller", span=1, name=CALL)
    lane = lane_of(story)
    assert lane.layer("caller").first(Moment.DONE) is None
    assert verdict(lane, ZERO + 10**9) == SWALLOWED


def test_done_with_nothing_on_the_wire_is_only_claimed() -> None:
    story = cancelled(started("http/2"))
    story(ev.SpanCancelled, 300, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 310, layer="server", span=4, name="handler")
    story(ev.CleanedUp, 320, layer="resource", span=3, name="stream")
    assert verdict(lane_of(story), ZERO + 10**9) == CLAIMED


def test_skew_is_largest_minus_smallest_of_the_headlines() -> None:
    grpc, http = cancelled(started("grpc")), Story("http/1.1")
    start = grpc.events[0]
    assert isinstance(start, ev.RunStarted)
    http(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("grpc"), plan("http/1.1")))
    http(ev.SpanCancelled, 150, layer="client", span=2, name=CALL, error="CancelledError")
    events = [*http.events[:1], *(event for event in grpc.events if event is not start), *http.events[1:]]
    run: RunState = fold(sorted(events, key=order_key))
    assert skew(run, Moment.DONE) == 60_000
    assert skew(run, Moment.INTERRUPT) is None


def test_a_handler_that_swallows_its_cancel_is_a_zombie_until_it_ends() -> None:
    story = frame(cancelled(started("grpc")), 600, "RST_STREAM", code="CANCEL(8)", stream=1)
    swallowed = {"layer": "server", "span": 4, "name": "handler", "error": "CancelledError", "evidence": "at sleep"}
    story(ev.CancelSwallowed, 1200, **swallowed)
    story(ev.CleanedUp, 1300, layer="resource", span=3, name="stream")
    lane = lane_of(story)
    assert lane.server.state is State.CANCELLING
    assert zombie(lane, ZERO + 10**9).until is None
    story(ev.SpanCancelled, 400_000, layer="server", span=4, name="handler", error="ExecuteBatchError")
    story(ev.CleanedUp, 400_010, layer="server", span=4, name="handler")
    lane = lane_of(story)
    mark = lane.layer("server").first(Moment.DONE)
    assert mark is not None
    assert (us(lane, "server", Moment.DONE), mark.evidence) == (1200, "CancelledError swallowed at sleep")
    assert len(lane.layer("server").marks) == 2
    assert lane.server.state is State.CANCELLED
    assert zombie(lane, ZERO + 10**9).ns == 400_000_000
    assert verdict(lane, ZERO + 10**9) == ZOMBIE


def test_a_resource_row_ends_with_the_last_thing_that_it_holds() -> None:
    story = frame(cancelled(started("grpc")), 600, "RST_STREAM", code="CANCEL(8)", stream=1)
    story(ev.SpanStarted, -6500, layer="resource", span=5, name="thread")
    story(ev.SpanCancelled, 1200, layer="server", span=4, name="handler", error="CancelledError")
    story(ev.CleanedUp, 1250, layer="server", span=4, name="handler")
    story(ev.CleanedUp, 1300, layer="resource", span=3, name="stream", evidence="stream closed")
    row = lane_of(story).layer("resource")
    assert (row.started, row.ended, row.marks) == (ZERO - 7_800_000, None, ())
    story(ev.CleanedUp, 90_000, layer="resource", span=5, name="thread", evidence="thread ended")
    row = lane_of(story).layer("resource")
    assert row.ended == ZERO + 90_000_000
    assert [mark.evidence for mark in row.marks] == ["thread ended"]


def test_a_server_that_acts_is_no_cancel_of_the_callers() -> None:
    story = started("http/1.1")
    story(ev.Trigger, 0, lane="", cause="server RST")
    story(ev.Signal, 20, layer="server", cause="server RST")
    lane = lane_of(story)
    assert lane.layer("caller").marks == ()
    assert lane.client.state is State.PARTIAL_SENT


@pytest.mark.parametrize(
    ("phase", "reached_us", "cancelled", "missed"),
    [
        ("response body", -5, True, False),
        ("response body", 0, True, False),
        ("response body", 1, True, True),
        ("response body", None, True, True),
        ("", None, True, False),
        ("response body", None, False, True),
        ("response body", -5, False, False),
    ],
)
def test_a_cancel_before_the_phase_missed_it_and_so_did_a_call_that_never_came_there(
    phase: str, reached_us: float | None, cancelled: bool, missed: bool
) -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("grpc", phase=phase),))
    story(ev.SpanStarted, -8000, layer="caller", span=1, name=CALL)
    if cancelled:
        story(ev.Trigger, 0, lane="", cause="key")
    if reached_us is not None:
        story(ev.PhaseReached, reached_us, phase=phase, evidence="chunk 1 read")
        story(ev.PhaseReached, reached_us + 50, phase=phase, evidence="again")
    story(ev.SpanCompleted, 100, layer="caller", span=1, name=CALL)
    lane = fold(sorted(story.events, key=order_key)).lanes[0]
    assert missed_phase(lane) is missed
    assert (verdict(lane, ZERO + 10**9) == PHASE_MISSED) is missed
    assert verdict(lane, ZERO + 10**9) in WORDS


def test_a_call_that_is_still_on_its_way_has_missed_nothing() -> None:
    story = Story("grpc")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("grpc", phase="mid-stream"),))
    story(ev.SpanStarted, -8000, layer="caller", span=1, name=CALL)
    assert not missed_phase(fold(story.events).lanes[0])


def test_what_triggers_one_hop_is_zero_for_all_lanes_that_hang_together() -> None:
    plans = (
        plan("grpc", lane="a"),
        plan("http/1.1", lane="b", options={"called_by": "a"}),
        plan("postgres", lane="c", options={"called_by": "b"}),
        plan("http/2", lane="other"),
        plan("http/1.1", lane="x", options={"called_by": "y"}),
        plan("http/1.1", lane="y", options={"called_by": "x"}),
    )
    story = Story()(ev.RunStarted, -10, scenario="s", title="t", lanes=plans, lane="")
    story(ev.Trigger, 0, cause="budget of c", lane="c")(ev.Trigger, 5, cause="deadline", lane="a")
    run = fold(story.events)
    assert {lane.name: lane.zero.cause if lane.zero else "" for lane in run.lanes} == {
        "a": "budget of c",
        "b": "budget of c",
        "c": "budget of c",
        "other": "",
        "x": "",
        "y": "",
    }


def test_a_fault_of_the_tap_is_kept_with_what_it_did() -> None:
    story = Story("postgres")(ev.RunStarted, -10, scenario="s", title="t", lanes=(plan("postgres"),), lane="")
    story(ev.FaultStarted, 1, fault="lose-cancel")(ev.FaultStarted, 2, fault="freeze", direction=TO_CLIENT)
    story(ev.FaultHit, 3, conn=1, fault="lose-cancel", direction=TO_SERVER, did="lost", what="CancelRequest")
    story(ev.FaultEnded, 4, fault="freeze", direction=TO_CLIENT, detail="cleared")
    (lane,) = fold(story.events).lanes
    lost, frozen = lane.faults
    assert (lost.kind, lost.until, lost.hits) == ("lose-cancel", None, ("client>server CancelRequest lost",))
    assert (frozen.kind, frozen.until, frozen.detail) == ("freeze", ZERO + 4000, "cleared")


# --- uploads, idle connections, other requests -----------------------------------------------------------


def upload(**fields: object) -> Story:
    """A call that is cancelled in its request's body: four chunks handed over, three on the wire, two read."""
    story = Story("http/1.1")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("http/1.1", size=100, **fields),))
    story(ev.SpanStarted, -8000, layer="caller", span=1, name=CALL)
    story(ev.SpanStarted, -7900, layer="client", span=2, name=CALL)
    story(ev.SpanStarted, -7000, layer="server", span=4, name="handler")
    story(ev.ChunkSent, -6000, layer="client", n=4, size=400, total=4)
    story(ev.BytesSeen, -5500, layer="wire", conn=1, direction=TO_SERVER, size=390, body=350)
    story(ev.BytesSeen, -5400, layer="wire", conn=1, direction=TO_CLIENT, size=90, body=50)
    story(ev.ChunkReceived, -5000, layer="server", n=2, size=200, total=2)
    story(ev.ChunkSent, -4000, layer="server", n=1, size=3, total=1)
    return cancelled(story)


def test_an_upload_is_counted_from_the_client_to_the_server() -> None:
    lane = lane_of(upload(phase="request body"))
    assert (lane.chunks.accepted, lane.chunks.on_wire, lane.chunks.read) == (4, 3, 2)
    assert (lane.client.chunks, lane.server.chunks) == (4, 2)
    assert (lane.body, lane.client.violations, lane.server.violations) == (350, (), ())


def test_a_response_is_counted_from_the_server_to_the_client() -> None:
    lane = lane_of(upload(phase="response body"))
    assert (lane.chunks.accepted, lane.chunks.on_wire, lane.chunks.read) == (1, 0, 0)


def test_nobody_counts_chunks_under_tls() -> None:
    assert lane_of(upload(phase="request body", tls=True)).chunks.on_wire is None


def test_late_bytes_of_an_upload_go_to_the_server() -> None:
    story = upload(phase="request body")
    story(ev.BytesSeen, 500, layer="wire", conn=1, direction=TO_SERVER, size=110, body=100)
    story(ev.BytesSeen, 600, layer="wire", conn=1, direction=TO_CLIENT, size=70, body=70)
    assert lane_of(story).late_bytes == 110


def test_what_the_lab_ends_in_its_teardown_is_no_step_of_the_client() -> None:
    story = Story("http/1.1")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("http/1.1"),))
    story(ev.SpanStarted, -7900, layer="client", span=2, name=CALL)
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 10, layer="server", cause="key", how="server FIN")
    story(ev.TeardownStarted, 900)
    story(ev.SpanCancelled, 950, layer="client", span=2, name=CALL, error="CancelledError")
    lane = lane_of(story)
    assert lane.client.state is State.STREAMING
    assert lane.layer("client").marks == ()


def idle(end: str) -> LaneState:
    """A connection that is at rest when it is ended by ``end``."""
    story = Story("http/1.1")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("http/1.1", phase="idle"),))
    for number, layer, name in ((1, "caller", CALL), (2, "client", CALL), (3, "resource", "connection")):
        story(ev.SpanStarted, -8000 + number, layer=layer, span=number, name=name)
    story(ev.SpanStarted, -7000, layer="server", span=4, name="handler")
    story(ev.SpanCompleted, -6000, layer="server", span=4, name="handler")
    frame(story, -5900, "end", direction=TO_CLIENT, proto="http/1.1")
    story(ev.SpanCompleted, -5800, layer="client", span=2, name=CALL)
    story(ev.PhaseReached, -5700, phase="idle", evidence="in the pool")
    story(ev.Trigger, 0, lane="", cause="key")
    frame(story, 400, end, proto="tcp", direction=TO_CLIENT)
    story(ev.CleanedUp, 500, layer="resource", span=3, name="connection", evidence=end)
    return lane_of(story)


@pytest.mark.parametrize("end", ["FIN", "RST"])
def test_the_end_of_an_idle_connection_is_its_interrupt_and_not_too_late(end: str) -> None:
    lane = idle(end)
    mark = interrupt(lane)
    assert mark is not None
    assert mark.evidence == f"server>client {end}"
    assert verdict(lane, ZERO + 10**9) == CLEAN


def test_other_requests_are_counted_by_their_role_and_have_no_row() -> None:
    story = started("http/2")
    for number in (11, 12):
        story(ev.SpanStarted, 100, layer="client", span=number, name="follow-up", evidence="GET /")
    story(ev.SpanCompleted, 200, layer="client", span=11, name="follow-up", evidence="200")
    story(ev.SpanFailed, 300, layer="client", span=12, name="follow-up", error="PoolTimeout", evidence="after 300 ms")
    story(ev.SpanFailed, 300, layer="client", span=13, name="prepare", error="OSError", evidence="")
    lane = lane_of(story)
    ((role, other),) = lane.others.items()
    assert (role, other.outcome, other.evidence, other.count) == ("follow-up", "failed", "PoolTimeout after 300 ms", 2)
    assert lane.layer("client").ended is None
