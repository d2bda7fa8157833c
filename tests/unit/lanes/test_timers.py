"""Nobody presses a key: the scope's shared deadline, and each lane's own timer, is the trigger and says its name."""

from __future__ import annotations

import re

import pytest

from probes.events import CALL, LanePlan, Signal, SpanStarted, Trigger
from probes.forecast import Truth, of_run, truth
from probes.machine import State
from probes.state import LaneState, Moment
from probes.verdict import CLEAN, TOO_LATE, ZOMBIE, interrupt, offset
from tests.kit.lab_kit import PATIENT, Lab, Ran, lane, settle

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATE_NS = 5_000_000_000
"""Nothing here takes so long, however busy the machine is: a trigger that is off by a timeout would."""

FOUR = [
    lane("grpc", "mid-stream", interval="10ms"),
    lane("http/1.1", "response body", interval="10ms"),
    lane("http/2", "response headers", delay="30s"),
    lane("postgres", "statement executing", delay="30s"),
]

OWN = {
    "gRPC deadline": lane("grpc", "mid-stream", cause="deadline", interval="10ms", timeouts={"deadline": "200ms"}),
    "httpx read timeout": lane(
        "http/1.1", "response headers", cause="read timeout", delay="30s", timeouts={"read": "250ms"}
    ),
    "httpx read timeout, http/2": lane(
        "http/2", "response headers", cause="read timeout", delay="30s", timeouts={"read": "300ms"}
    ),
    "asyncpg command_timeout": lane(
        "postgres",
        "statement executing",
        cause="command_timeout",
        delay="30s",
        timeouts={"command_timeout": "350ms"},
    ),
}
ALONE = {
    **OWN,
    "httpx read timeout, body": lane(
        "http/1.1", "response body", cause="read timeout", interval="30s", timeouts={"read": "200ms"}
    ),
    "asyncpg timeout": lane(
        "postgres", "statement executing", cause="timeout", delay="30s", timeouts={"timeout": "200ms"}
    ),
    "asyncio.timeout": lane(
        "http/1.1", "response body", cause="asyncio.timeout", interval="10ms", timeouts={"asyncio.timeout": "200ms"}
    ),
    "asyncio.timeout, http/2": lane(
        "http/2", "response body", cause="asyncio.timeout", interval="10ms", timeouts={"asyncio.timeout": "200ms"}
    ),
}
ERRORS = {
    "gRPC deadline": "AioRpcError DEADLINE_EXCEEDED .*",
    "httpx read timeout": "ReadTimeout",
    "asyncpg command_timeout": "TimeoutError",
    "asyncpg timeout": "TimeoutError",
    "asyncio.timeout": "CancelledError",
}


async def fired(lab: Lab, *plans: LanePlan, deadline: float | None = None) -> Ran:
    run = lab.fire(*plans, settle=settle(*plans), deadline=deadline)
    ran = await lab.ended(run)
    assert ran.state.outcome == "settled"
    # What is said of a run before it begins, by its plans alone, comes true here.
    assert came_true(ran) == {plan.lane: Truth.TRUE for plan in plans}
    return ran


def came_true(ran: Ran) -> dict[str, Truth]:
    said = of_run(ran.state)
    return {one.lane: truth(one, lane, ran.state) for one, lane in zip(said, ran.state.lanes, strict=True)}


def since_trigger(found: LaneState, layer: str, moment: Moment) -> int:
    mark = found.layer(layer).first(moment)  # type: ignore[arg-type]
    since = offset(found, mark)
    assert since is not None, f"{found.name}: no {moment} of {layer}"
    return since


def told(ran: Ran, plan: LanePlan) -> None:
    """What every lane says after a trigger that was no key, as far as it can."""
    found = ran.lane(plan.lane)
    assert 0 <= since_trigger(found, "client", Moment.DONE) < LATE_NS
    if plan.protocol == "http/2":
        assert interrupt(found) is None
        assert ran.answers(plan.lane) == []
        assert found.residue == {"handlers": 1, "streams": 1}
        assert ran.printed(plan.lane)["verdict"] == ZOMBIE
        return
    for layer, moment in (("wire", Moment.INTERRUPT), ("server", Moment.DONE), ("resource", Moment.CLEANUP)):
        assert since_trigger(found, layer, moment) < LATE_NS
    assert found.server.state is State.CANCELLED
    assert found.residue == {}
    assert ran.printed(plan.lane)["verdict"] == CLEAN


async def test_the_scopes_deadline_cancels_all_lanes(lab: Lab) -> None:
    ran = await fired(lab, *FOUR, deadline=0.3)
    assert ran.triggers() == [("", "scope deadline")]
    assert ran.told() == {plan.lane: 1 for plan in FOUR}
    assert {event.cause for event in ran.of(Signal)} == {"scope deadline"}
    assert {event.key_ns for event in ran.of(Signal)} == {0}
    assert ran.state.zero is not None
    assert 0.3 <= (ran.state.zero.t - (ran.state.started or 0)) / 1e9 < 0.3 + LATE_NS / 1e9
    for plan in FOUR:
        told(ran, plan)
        assert ran.lane(plan.lane).client.state is State.CANCELLED


def own(ran: Ran, plan: LanePlan, cause: str) -> None:
    """The lane was its own trigger, by this timer, due when its timeout says."""
    (trigger,) = ran.of(Trigger, plan.lane)
    assert trigger.cause == cause
    call = next(event for event in ran.of(SpanStarted, plan.lane) if event.layer == "client" and event.name == CALL)
    seconds = next(value for value in plan.timeouts.values() if value is not None)
    # A millisecond early is what libuv's timers can be.
    assert -trigger.err <= trigger.t - call.t - seconds * 1e9 < LATE_NS
    found = ran.lane(plan.lane)
    mark = found.layer("client").first(Moment.DONE)
    assert mark is not None
    assert re.fullmatch(ERRORS[cause], mark.evidence), mark.evidence
    assert found.client.state is (State.CANCELLED if cause == "asyncio.timeout" else State.FAILED)
    assert found.layer("caller").outcome == "failed"
    told_by_own_deadline(ran, plan) if cause == "gRPC deadline" else told(ran, plan)


def told_by_own_deadline(ran: Ran, plan: LanePlan) -> None:
    """gRPC's server has the deadline too: either side may be first, and then the other's frames are not all there."""
    found = ran.lane(plan.lane)
    assert 0 <= since_trigger(found, "client", Moment.DONE) < LATE_NS
    answers = ran.answers(plan.lane)
    assert {"→ RST_STREAM CANCEL(8)", "← HEADERS 4"} & set(answers), answers
    assert found.residue == {}
    assert ran.printed(plan.lane)["verdict"] in (CLEAN, TOO_LATE)


async def test_each_lane_is_its_own_trigger(lab: Lab) -> None:
    ran = await fired(lab, *OWN.values())
    assert sorted(ran.triggers()) == sorted((plan.lane, cause.partition(",")[0]) for cause, plan in OWN.items())
    assert ran.told() == {}
    assert ran.state.zero is None
    assert ran.result["trigger"] == {"cause": "gRPC deadline, httpx read timeout, asyncpg command_timeout"}
    for cause, plan in OWN.items():
        own(ran, plan, cause.partition(",")[0])


@pytest.mark.parametrize("cause", ALONE)
async def test_one_lane_alone(lab: Lab, cause: str) -> None:
    plan = ALONE[cause]
    ran = await fired(lab, plan)
    assert ran.triggers() == [(plan.lane, cause.partition(",")[0])]
    assert ran.told() == {}
    own(ran, plan, cause.partition(",")[0])


@pytest.mark.parametrize("cause", OWN)
async def test_the_key_was_faster_than_the_timer(lab: Lab, cause: str) -> None:
    plan = lane(
        OWN[cause].protocol,
        OWN[cause].phase,
        delay="30s",
        timeouts={name: "30s" for name, value in OWN[cause].timeouts.items() if value},
    )
    if plan.protocol == "grpc":
        plan = lane("grpc", "mid-stream", interval="10ms", timeouts={"deadline": "30s"})
    ran = await lab.cancelled(plan, settle=settle(plan))
    assert ran.triggers() == [("", "key")]
    assert ran.told() == {plan.lane: 1}
    told(ran, plan)


async def test_the_deadline_of_the_scope_is_for_those_that_are_left(lab: Lab) -> None:
    early = OWN["httpx read timeout"]
    ran = await fired(lab, FOUR[0], early, FOUR[3], deadline=0.6)
    assert ran.triggers() == [("http/1.1", "httpx read timeout"), ("", "scope deadline")]
    assert ran.told() == {"grpc": 1, "postgres": 1}
    own(ran, early, "httpx read timeout")
    for plan in (FOUR[0], FOUR[3]):
        told(ran, plan)


async def test_of_two_timers_the_one_that_was_said_wins(lab: Lab) -> None:
    """Not always the shorter one: httpx's read timer is set anew for each chunk, and asyncpg's ``timeout`` takes the
    place of ``command_timeout``."""
    drips = {"read": "400ms", "asyncio.timeout": "900ms"}
    replaced = {"timeout": "700ms", "command_timeout": "200ms"}
    server = {"statement_timeout": "300ms", "command_timeout": "2s"}
    plans = [
        lane("grpc", "mid-stream", interval="10ms", timeouts={"deadline": "2s", "asyncio.timeout": "500ms"}),
        lane("http/1.1", "response body", interval="10ms", timeouts=drips),
        lane("postgres", "statement executing", name="replaced", delay="30s", timeouts=replaced),
        lane("postgres", "statement executing", name="the server", delay="30s", timeouts=server),
    ]
    ran = await fired(lab, *plans)
    assert sorted(ran.triggers()) == [
        ("grpc", "asyncio.timeout"),
        ("http/1.1", "asyncio.timeout"),
        ("replaced", "asyncpg timeout"),
        ("the server", "statement_timeout"),
    ]


async def test_a_run_that_nobody_triggers_is_ended_by_its_limit(lab: Lab) -> None:
    run = lab.fire(FOUR[0], FOUR[3], settle=PATIENT, limit=0.4)
    ran = await lab.ended(run)
    assert ran.triggers() == [("", "run limit")]
    for plan in (FOUR[0], FOUR[3]):
        told(ran, plan)
