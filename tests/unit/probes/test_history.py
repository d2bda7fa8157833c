"""Medians and 95th percentiles over the runs that are alike, and which run another is compared with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.annals import Annals
from app.chronicle import Chronicle
from probes.fold import fold
from probes.history import Entry, LaneEntry, alike, before, entry, median, nearest_rank, spread, values
from probes.state import RunState
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told


def line(run: int, scenario: str = "a", done: int | None = 10, outcome: str = "settled") -> Entry:
    return Entry(run, scenario, scenario, "key", outcome, (LaneEntry("grpc", "clean", (done, None, 30)),))


def test_a_run_as_a_line() -> None:
    found = entry(fold(event for event in kit.settled() if event.run))
    assert (found.run, found.scenario, found.cause, found.outcome) == (1, "one-scope", "key", "settled")
    assert [each.verdict for each in found.lanes] == ["clean", "clean", "zombie", "clean"]
    assert found.lanes[0].moments == (92_000, 610_000, 1_820_000)
    assert found.lanes[2].moments == (110_000, None, None)


def test_the_percentile_is_a_value_that_was_measured() -> None:
    hundred = list(range(1, 101))
    assert nearest_rank(hundred, 0.95) == 95
    assert nearest_rank([7], 0.95) == 7
    assert nearest_rank([1, 2, 3], 0.95) == 3
    assert (median([1, 2, 3]), median([1, 2, 3, 10])) == (2, 2)


@given(st.lists(st.integers(0, 10**10), min_size=1))
def test_median_and_percentile_lie_in_between(found: list[int]) -> None:
    over = spread([*found, None])
    assert over is not None
    assert min(found) <= over.median <= over.p95 <= max(found)
    assert over.count == len(found)
    assert over.few == (len(found) < 20)


def test_what_never_came_has_no_median() -> None:
    assert spread([None, None]) is None
    assert values([line(1), line(2, done=None)], "grpc", 0) == [10, None]
    assert values([line(1)], "no such lane", 0) == [None]


def test_only_runs_of_one_scenario_that_settled_are_put_together() -> None:
    lines = [line(1), line(2, "b"), line(3, outcome="aborted"), line(4), line(5)]
    assert [each.run for each in alike(lines, "a")] == [1, 4, 5]
    last = before(lines, lines[-1])
    assert last is not None
    assert last.run == 4
    assert before(lines, lines[0]) is None


def test_a_pinned_run_takes_the_place_of_the_last() -> None:
    lines = Chronicle((line(1), line(2), line(3)), run=3)
    assert lines.reference is not None
    assert lines.reference.run == 2
    pinned = lines.moved(2).with_pin().moved(-9)
    assert (pinned.pinned, pinned.run) == (1, 3)
    assert pinned.reference is not None
    assert pinned.reference.run == 1
    assert pinned.moved(9).with_pin().pinned == 0
    assert Chronicle(()).moved(1).with_pin().reference is None


def test_each_run_is_looked_at_once_and_an_open_one_again() -> None:
    asked: list[int] = []
    states = {number: _state(number) for number in range(1, 8)}
    states[7] = fold(Told(7).fired(kit.settings()).events)

    def state(number: int) -> RunState:
        asked.append(number)
        return states[number]

    annals = Annals(lambda: states, state, at_once=3)
    while annals.update() and annals.left:
        pass
    annals.update()
    assert [each.run for each in annals.entries] == list(states)
    assert sorted(set(asked)) == list(states)
    assert max(map(asked.count, range(1, 7))) == 1
    assert asked[0] == 7
    assert asked.count(7) > 1


def _state(number: int) -> RunState:
    return fold(event for event in Told(number).fired(kit.settings()).cancelled().settled().events if event.run)
