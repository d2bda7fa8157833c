"""What counts as tried: a lane that settled after its own cause had come in its own phase."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import RunSettings
from probes import events as ev
from probes.events import CALLED_BY, LanePlan
from probes.fold import fold
from probes.runlog import SessionLog
from probes.state import RunState
from probes.tried import Cell, Tried, fold_tried, tried
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.kit.random_runs import runs

KEYS = {
    ("grpc", "mid-stream", "task.cancel"): "clean",
    ("http/1.1", "response body", "task.cancel"): "clean",
    ("http/2", "response body", "task.cancel"): "zombie",
    ("postgres", "statement executing", "task.cancel"): "clean",
}


def told(told: Told) -> RunState:
    return fold(event for event in told.events if event.run)


def planned(**changes: object) -> RunSettings:
    """The kit's lanes, the first of them changed."""
    plan = kit.settings()
    return replace(plan, lanes=(replace(plan.lanes[0], **changes), *plan.lanes[1:]))  # type: ignore[arg-type]


def cells(run: RunState) -> dict[Cell, str]:
    return dict(tried(run))


def test_each_lane_that_settled_is_a_cell_with_its_verdict() -> None:
    assert cells(told(Told().fired(kit.settings()).cancelled().settled())) == KEYS


def test_nothing_counts_before_the_run_has_settled() -> None:
    assert cells(told(Told().fired(kit.settings()).cancelled())) == {}
    aborted = Told().fired(kit.settings()).cancelled()
    aborted.emit(ev.RunEnded, aborted.zero + 9, run=1, outcome="aborted", detail="lab died")
    assert cells(told(aborted)) == {}


def test_a_lane_that_missed_its_phase_or_was_not_cancelled_is_no_try() -> None:
    late = Told().fired(kit.settings()).cancelled().settled()
    late.events = [event for event in late.events if not (isinstance(event, ev.PhaseReached) and event.lane == "grpc")]
    assert cells(told(late)) == {cell: word for cell, word in KEYS.items() if cell[0] != "grpc"}
    assert cells(told(Told().fired(kit.settings()).settled())) == {}


def test_a_hop_is_no_try_of_its_own() -> None:
    run = told(Told().fired(planned(options={CALLED_BY: "somebody"})).cancelled().settled())
    assert set(cells(run)) == {cell for cell in KEYS if cell[0] != "grpc"}


@pytest.mark.parametrize(
    ("cause", "trigger", "counts"),
    [
        ("deadline", "gRPC deadline", True),
        ("deadline", "key", False),
        ("deadline", "asyncio.timeout", False),
        ("asyncio.timeout", "asyncio.timeout", True),
        ("task.cancel", "gRPC deadline", False),
        ("task.cancel", "key", True),
    ],
)
def test_the_cause_that_came_must_be_the_one_that_was_planned(cause: str, trigger: str, counts: bool) -> None:
    run = Told().fired(planned(cause=cause))
    run.at(ev.Trigger, -5, "grpc", cause=trigger)
    found = cells(told(run.cancelled().settled()))
    assert (("grpc", "mid-stream", cause) in found) is counts


def test_a_deadline_of_the_scope_is_no_deadline_of_the_call() -> None:
    run = Told().fired(planned(cause="deadline"))
    run.emit(ev.Trigger, run.zero - 5, run=1, cause="scope deadline")
    assert ("grpc", "mid-stream", "deadline") not in cells(told(run.cancelled().settled()))


def test_a_guest_is_no_try() -> None:
    guest = LanePlan(lane="curl", protocol="http/1.1", phase=ev.GUEST)
    run = replace(kit.settings(), lanes=(guest,))
    assert cells(told(Told().fired(run).settled())) == {}


def test_tries_add_up_and_the_last_verdict_counts() -> None:
    clean = told(Told().fired(kit.settings()).cancelled().settled())
    state = fold_tried(fold_tried({}, clean), clean)
    assert state["http/2", "response body", "task.cancel"] == Tried(2, "zombie")
    assert len(state) == 4


@given(st.lists(runs(), max_size=3), st.integers(0, 3))
def test_a_fold_may_be_cut_anywhere(sessions: list[list[ev.Event]], cut: int) -> None:
    states = []
    for events in sessions:
        log = SessionLog()
        log.extend(events)
        states += [log.run(number) for number in log.runs]
    whole: object = {}
    for state in states:
        whole = fold_tried(whole, state)  # type: ignore[arg-type]
    first: object = {}
    for state in states[:cut]:
        first = fold_tried(first, state)  # type: ignore[arg-type]
    for state in states[cut:]:
        first = fold_tried(first, state)  # type: ignore[arg-type]
    assert first == whole
