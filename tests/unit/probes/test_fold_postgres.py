"""What the wire and pg_stat_activity say of a backend, told as stories."""

from __future__ import annotations

import pytest

from probes import events as ev
from probes.events import CALL, TO_CLIENT, TO_SERVER
from probes.fold import fold, order_key
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, ZOMBIE, offset, verdict, zombie
from tests.kit.story import ZERO, Story, plan

SERVER_SAYS = ("CommandComplete", "ErrorResponse", "ReadyForQuery", "BindComplete", "PortalSuspended")


def begun(phase: str = "statement executing") -> Story:
    """A run whose pool was made before its call."""
    story = Story("postgres")
    story(ev.RunStarted, -9000, lane="", scenario="s", title="t", lanes=(plan("postgres", phase=phase),))
    says(story, -8900, "Query", "SELECT pg_advisory_unlock_all();")
    says(story, -8890, "CommandComplete", "UNLISTEN")
    says(story, -8880, "ReadyForQuery", code="idle")
    for span, layer in enumerate(("caller", "client", "resource"), start=1):
        story(ev.SpanStarted, -8000, layer=layer, span=span, name=CALL)
    return story


def says(story: Story, us: float, name: str, detail: str = "", code: str = "", conn: int = 1) -> Story:
    direction = TO_CLIENT if name in SERVER_SAYS else TO_SERVER
    head = {"layer": "wire", "conn": conn, "direction": direction, "proto": "postgres", "stamp": "kernel"}
    return story(ev.FrameSeen, us, name=name, detail=detail, code=code, **head)


def hangs_up(story: Story, us: float, how: str, direction: str = TO_SERVER) -> Story:
    return story(ev.FrameSeen, us, layer="wire", conn=1, direction=direction, proto="tcp", name=how)


def seen(story: Story, us: float, state: str, wait: str = "") -> Story:
    return story(ev.BackendState, us, layer="server", pid=7, state=state, wait=wait)


def told(story: Story) -> Story:
    story(ev.PhaseReached, -500, phase=story.events[0].lanes[0].phase, evidence="seen")  # type: ignore[attr-defined]
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 10, layer="caller", cause="key")
    story(ev.SpanCancelled, 90, layer="client", span=2, name=CALL, error="CancelledError")
    return story(ev.SpanCancelled, 95, layer="caller", span=1, name=CALL, error="CancelledError")


def lane_of(story: Story) -> LaneState:
    lane = fold(sorted(story.events, key=order_key)).lanes[0]
    assert not lane.client.violations
    assert not lane.server.violations
    return lane


def at(lane: LaneState, layer: ev.Layer, moment: Moment) -> tuple[float, str] | None:
    mark = lane.layer(layer).first(moment)
    since = offset(lane, mark)
    return None if mark is None or since is None else (since / 1000, mark.evidence)


def executing(phase: str = "statement executing") -> Story:
    story = says(begun(phase), -7000, "Execute")
    return seen(story, -6900, "active", "PgSleep")


def test_what_prepares_a_call_is_none_of_its_doing() -> None:
    lane = lane_of(told(executing()))
    assert lane.layer("wire").started == lane.layer("server").started == ZERO - 7_000_000
    assert [step.target for step in lane.server.path] == [State.STREAMING]


def test_a_call_that_waits_for_a_slot_has_no_wire_and_no_server() -> None:
    story = told(begun("pool acquire"))
    says(story, 300, "Query", "SELECT pg_advisory_unlock_all();")
    says(story, 310, "CommandComplete", "UNLISTEN")
    story(ev.CleanedUp, 400, layer="resource", span=3, name=CALL)
    lane = lane_of(story)
    assert (lane.layer("wire").started, lane.server.state) == (None, State.IDLE)
    assert verdict(lane, ZERO + 10**9) == CLEAN


def test_one_command_of_many_that_is_complete_is_no_end() -> None:
    story = executing()
    says(story, -6000, "CommandComplete", "INSERT 0 1")
    says(story, -5000, "CommandComplete", "INSERT 0 1")
    assert lane_of(told(story)).server.state is State.STREAMING
    story = executing()
    says(story, -6000, "CommandComplete", "INSERT 0 1")
    says(story, -5000, "ReadyForQuery", code="idle")
    assert lane_of(story).server.state is State.COMPLETED


def test_a_failed_transaction_is_held_until_it_is_rolled_back() -> None:
    story = told(executing("transaction"))
    says(story, 1000, "CancelRequest", conn=2)
    says(story, 2000, "ErrorResponse", code="57014")
    says(story, 2010, "ReadyForQuery", code="failed transaction")
    says(story, 3000, "Query", "ROLLBACK;")
    says(story, 3100, "CommandComplete", "ROLLBACK")
    says(story, 3110, "ReadyForQuery", code="idle")
    lane = lane_of(story)
    assert at(lane, "server", Moment.DONE) == (2000, "ErrorResponse 57014")
    assert at(lane, "server", Moment.CLEANUP) == (3110, "ReadyForQuery idle")


def test_listening_goes_on_after_listen_is_complete_and_ends_with_unlisten() -> None:
    story = executing("LISTEN")
    says(story, -6000, "CommandComplete", "LISTEN")
    says(story, -5990, "ReadyForQuery", code="idle")
    seen(story, -5000, "idle", "ClientRead")
    told(story)
    says(story, 500, "Execute")
    says(story, 600, "CommandComplete", "UNLISTEN")
    says(story, 610, "ReadyForQuery", code="idle")
    lane = lane_of(story)
    assert at(lane, "wire", Moment.INTERRUPT) == (600, "server>client CommandComplete UNLISTEN")
    assert at(lane, "server", Moment.DONE) == (600, "CommandComplete UNLISTEN")
    assert lane.server.state is State.CANCELLED


@pytest.mark.parametrize(("state", "wait"), [("idle in transaction", "ClientRead"), ("active", "ClientRead")])
def test_a_backend_that_reads_hears_at_once_that_its_client_is_gone(state: str, wait: str) -> None:
    story = told(seen(executing("cursor"), -1000, state, wait))
    hangs_up(story, 100, "FIN")
    seen(story, 3000, "gone")
    lane = lane_of(story)
    assert at(lane, "server", Moment.DONE) == at(lane, "server", Moment.CLEANUP) == (3000, "pg_stat_activity gone")
    assert zombie(lane, ZERO + 10**9).ns == 0


def test_on_its_way_out_a_backend_waits_for_nothing_and_has_heard_all_the_same() -> None:
    story = told(seen(executing("COPY in"), -1000, "active", "ClientRead"))
    hangs_up(story, 100, "FIN")
    seen(story, 1000, "active")
    seen(story, 3000, "gone")
    assert at(lane_of(story), "server", Moment.DONE) == (3000, "pg_stat_activity gone")


def test_one_that_works_does_not_and_is_a_zombie_until_it_is_gone() -> None:
    story = told(executing())
    hangs_up(story, 100, "RST")
    seen(story, 90_000, "gone")
    lane = lane_of(story)
    assert at(lane, "server", Moment.DONE) is None
    assert at(lane, "server", Moment.CLEANUP) == (90_000, "pg_stat_activity gone")
    assert zombie(lane, ZERO + 10**9).ns == 89_990_000
    assert verdict(lane, ZERO + 10**9) == ZOMBIE


def test_an_answer_that_a_stalled_connection_brings_late_was_seen_before() -> None:
    story = told(executing())
    says(story, 1000, "CancelRequest", conn=2)
    seen(story, 8000, "idle", "ClientRead")
    says(story, 900_000, "ErrorResponse", code="57014")
    lane = lane_of(story)
    assert lane.layer("server").ended == ZERO + 8_000_000
    assert at(lane, "server", Moment.DONE) == (8000, "pg_stat_activity idle")
    assert lane.server.state is State.CANCELLED


def test_a_backend_that_rests_before_it_was_seen_at_work_has_only_not_begun() -> None:
    story = says(begun(), -7000, "Execute")
    seen(story, -6900, "idle", "ClientRead")
    assert lane_of(told(story)).layer("server").ended is None


def test_after_57p01_the_backends_fin_is_its_end() -> None:
    story = executing()
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 10, layer="server", cause="key", how="pg_terminate_backend")
    says(story, 700, "ErrorResponse", code="57P01")
    hangs_up(story, 900, "FIN", TO_CLIENT)
    lane = lane_of(story)
    assert at(lane, "server", Moment.DONE) == (700, "ErrorResponse 57P01")
    assert at(lane, "server", Moment.CLEANUP) == (900, "FIN")


def test_copy_fail_asks_and_a_cancel_request_behind_the_answer_is_no_interrupt() -> None:
    story = told(executing("COPY in"))
    says(story, 100, "CopyFail", "COPY aborted")
    says(story, 400, "ErrorResponse", code="57014")
    says(story, 410, "ReadyForQuery", code="idle")
    says(story, 900, "CancelRequest", conn=2)
    lane = lane_of(story)
    assert [mark.evidence for mark in lane.layer("wire").marks] == [
        "client>server CopyFail",
        "server>client ErrorResponse 57014",
    ]
    assert State.CANCELLING in [step.target for step in lane.server.path]


def test_a_cut_is_the_taps_and_ends_the_wire() -> None:
    story = executing()
    story(ev.Trigger, 0, lane="", cause="key")
    story(ev.Signal, 10, layer="wire", cause="key", how="socket cut")
    story(ev.FaultHit, 20, layer="wire", conn=1, fault="cut", direction="", did="cut", what="RST")
    hangs_up(story, 30, "FIN", TO_CLIENT)
    lane = lane_of(story)
    assert [mark.evidence for mark in lane.layer("wire").marks] == ["cut by the tap with RST"]
    assert lane.client.state is State.STREAMING, "it is told by its socket, and not before"


def test_what_another_connection_of_the_pool_says_is_none_of_the_calls() -> None:
    story = told(executing())
    says(story, 100, "Terminate")
    seen(story, 2000, "gone")
    says(story, 3000, "Query", "SELECT 1", conn=3)
    says(story, 3100, "CommandComplete", "UNLISTEN", conn=3)
    says(story, 3200, "ReadyForQuery", code="idle", conn=3)
    head = {"layer": "wire", "conn": 3, "direction": TO_CLIENT}
    story(ev.BytesSeen, 3050, size=30, body=20, messages=1, **head)
    lane = lane_of(story)
    assert at(lane, "server", Moment.DONE) is None
    assert (lane.server.state, lane.chunks.on_wire, lane.late_bytes) == (State.STREAMING, 0, 0)


def test_a_portal_that_is_suspended_outside_of_a_transaction_is_over() -> None:
    """fetchval asks for one row: where it is the only one, that is all that the server says of the end."""
    story = told(executing())
    says(story, 1000, "PortalSuspended")
    says(story, 1010, "ReadyForQuery", code="idle")
    says(story, 5000, "CancelRequest", conn=2)
    lane = lane_of(story)
    assert lane.server.state is State.COMPLETED
    story = told(executing("cursor"))
    says(story, 1000, "PortalSuspended")
    says(story, 1010, "ReadyForQuery", code="in transaction")
    assert lane_of(story).server.state is State.STREAMING
