"""Bytes over time: bounded, exact in sum, fine near the trigger."""

from __future__ import annotations

import itertools
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from probes import events as ev
from probes.fold import fold
from probes.fold.flow import ROOM, poured
from probes.state import Flow
from tests.kit import console_kit as kit

STEPS = st.lists(st.tuples(st.sampled_from((0, 1, 900, 40_000, 20_000_000)), st.integers(1, 9_000)), max_size=60)


def flow(steps: list[tuple[int, int]], zero: int | None) -> Flow:
    made, t = Flow(), zero or 0
    for step, size in steps:
        t += step
        made = poured(made, t, size, zero)
    return made


@given(STEPS, st.integers(1, 30), st.sampled_from((None, 1_000)))
def test_nothing_is_lost_and_there_is_an_end_to_it(steps: list[tuple[int, int]], times: int, zero: int | None) -> None:
    made = flow(steps * times, zero)
    bursts = made.bursts
    assert made.total == sum(size for _, size in steps) * times
    assert len(bursts) <= ROOM + 1
    assert all(one.first <= one.last <= other.first for one, other in itertools.pairwise(bursts))


def test_a_million_ticks_leave_the_first_ones_apart() -> None:
    made = flow([(5_000, 100)] * 100_000, 0)
    assert len(made.bursts) <= ROOM + 1
    firsts = [burst.first for burst in made.bursts]
    assert sum(first < 1_000_000 for first in firsts) > 8
    assert made.total == 10_000_000


def test_what_passes_before_and_after_the_trigger_is_kept_apart() -> None:
    run = fold(event for event in kit.settled() if event.run)
    lane = run.lane("http/2")
    assert lane is not None
    ticks = [event for event in kit.settled() if isinstance(event, ev.BytesSeen) and event.lane == "http/2"]
    before = reduce(lambda total, event: total + event.size * (event.t < lane.zero.t), ticks, 0)  # type: ignore[union-attr]
    assert (lane.flow_before.total, lane.flow_after.total) == (before, sum(tick.size for tick in ticks) - before)
    assert lane.flow_after.total == lane.late_bytes
