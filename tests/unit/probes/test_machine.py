"""The table is total in the sense of the design: every pair is either a state or a recorded violation."""

from __future__ import annotations

import pytest

from probes.machine import TABLE, TERMINAL, VIOLATIONS_KEPT, Input, Machine, State

# The design's own table, written down independently: "-" is illegal, "." stays.
DESIGN = {
    "Idle": "Streaming - Cancelled - - Failed",
    "Streaming": "- PartialSent Cancelling Cancelled Completed Failed",
    "PartialSent": "- PartialSent Cancelling Cancelled Completed Failed",
    "Cancelling": "- Cancelling Cancelling Cancelled Completed Failed",
    "Cancelled": "- Cancelled Cancelled Cancelled - -",
    "Completed": "- - Completed Completed Completed -",
    "Failed": "- - Failed Failed - -",
}
PAIRS = [
    (State(source), event, target)
    for source, row in DESIGN.items()
    for event, target in zip(Input, row.split(), strict=True)
]


def walk(*events: Input) -> Machine:
    machine = Machine()
    for t, event in enumerate(events):
        machine = machine.step(event, t)
    return machine


@pytest.mark.parametrize(("source", "event", "target"), PAIRS, ids=str)
def test_every_pair_of_state_and_event(source: State, event: Input, target: str) -> None:
    after = Machine(state=source).step(event, 5, evidence="seen")
    if target == "-":
        assert event not in TABLE[source]
        assert after.state is source
        assert [(v.t, v.state, v.event, v.evidence) for v in after.violations] == [(5, source, event, "seen")]
    else:
        assert after.state is State(target)
        assert not after.violations


def test_the_first_violations_are_kept_and_all_are_counted() -> None:
    machine = walk(Input.OPEN, Input.END, *[Input.CHUNK] * 1000)
    assert machine.illegal == 1000
    assert [violation.t for violation in machine.violations] == list(range(2, 2 + VIOLATIONS_KEPT))


def test_only_changes_are_kept_in_the_path() -> None:
    machine = walk(Input.OPEN, Input.CHUNK, Input.CHUNK, Input.CHUNK, Input.CANCEL, Input.CANCEL, Input.STOPPED)
    assert [step.target for step in machine.path] == [
        State.STREAMING,
        State.PARTIAL_SENT,
        State.CANCELLING,
        State.CANCELLED,
    ]
    assert machine.chunks == 3


def test_a_chunk_while_cancelling_is_irrevocable_and_after_it_late() -> None:
    machine = walk(Input.OPEN, Input.CHUNK, Input.CANCEL).step(Input.CHUNK, 9, n=2).step(Input.STOPPED, 10)
    machine = machine.step(Input.CHUNK, 11, n=4)
    assert (machine.chunks, machine.irrevocable, machine.late) == (7, 2, 4)
    assert not machine.violations


def test_the_end_can_win_the_race_against_a_cancel() -> None:
    machine = walk(Input.OPEN, Input.CANCEL, Input.END, Input.CANCEL)
    assert machine.state is State.COMPLETED
    assert not machine.violations


def test_every_state_can_reach_an_end() -> None:
    for state in State:
        reachable = {state}
        while more := {target for source in reachable for target in TABLE[source].values()} - reachable:
            reachable |= more
        assert reachable & TERMINAL
