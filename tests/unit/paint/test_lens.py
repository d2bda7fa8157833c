"""The timebase and the cursors as a value: what each key makes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.paint.axis import LinearAxis, LogAxis, tick
from app.paint.lens import (
    CELLS,
    STEPS,
    WIDEST,
    Lens,
    at_time,
    fitted,
    paired,
    panned,
    pin,
    showing,
    stepped,
    switched,
    zoomed,
)
from probes.fold import fold
from probes.moments import spots
from tests.kit import console_kit as kit

LINEAR = Lens(mode="linear")
RUN = fold(event for event in kit.settled() if event.run)
SPOTS = spots(RUN)
MS = 1_000_000


def test_the_timebase_goes_in_steps_of_1_2_5() -> None:
    assert (STEPS[0], STEPS[1], STEPS[2], STEPS[3], STEPS[-1]) == (10_000, 20_000, 50_000, 100_000, 1_000_000_000)
    assert len(STEPS) == 16


@given(st.integers(1, 10**10), st.integers(20, 200))
def test_fit_shows_it_all_and_no_step_less_would(until: int, columns: int) -> None:
    lens = fitted(LINEAR, until, columns)
    axis = LinearAxis(0, columns, lens.per_div, lens.start)
    shown = axis.side(0) == 0 and axis.side(until) == 0
    assert shown or lens.per_div == STEPS[-1]
    if lens.per_div > STEPS[0]:
        closer = STEPS[STEPS.index(lens.per_div) - 1]
        assert closer * (columns // CELLS - 1) <= until


@given(st.integers(0, 90), st.sampled_from((1, -1)))
def test_zoom_keeps_the_time_under_the_cursor_where_it_is(column: int, direction: int) -> None:
    before = LinearAxis(0, 100, LINEAR.per_div, LINEAR.start)
    at = before.time(column)
    lens = zoomed(LINEAR, direction, at, 100)
    assert lens.per_div == STEPS[STEPS.index(LINEAR.per_div) - direction]
    assert abs(LinearAxis(0, 100, lens.per_div, lens.start).column(at) - column) <= 1


def test_zoom_ends_at_both_ends() -> None:
    lens = LINEAR
    for _ in range(20):
        lens = zoomed(lens, 1, 0, 100)
    assert lens.per_div == STEPS[0]
    for _ in range(20):
        lens = zoomed(lens, -1, 0, 100)
    assert lens.per_div == STEPS[-1]


def test_a_logarithmic_window_is_whole_decades_within_the_widest() -> None:
    lens = zoomed(zoomed(WIDEST, 1, 0, 100), 1, 0, 100)
    assert (lens.first, lens.decades) == (10_000, 4)
    assert panned(lens, 1).first == 100_000
    assert panned(panned(panned(lens, 1), 1), 1).first == 1_000_000, "10 s is the end"
    assert panned(lens, -1).first == 10_000
    assert fitted(WIDEST, 6 * MS, 100).decades == 3
    assert showing(lens, 500 * MS, 100).decades == 5


def test_pan_moves_by_divisions_and_stops_to_follow() -> None:
    assert panned(LINEAR, 1).start == LINEAR.start + LINEAR.per_div
    assert LINEAR.follow
    assert not panned(LINEAR, -1).follow


def test_a_linear_axis_begins_with_all_marks() -> None:
    lens = switched(WIDEST, 11 * MS, 80)
    assert (lens.mode, lens.per_div) == ("linear", 2 * MS)
    assert switched(lens, 11 * MS, 80).mode == "log"
    assert switched(WIDEST, 0, 80).per_div == WIDEST.per_div


@given(st.integers(-(10**10), 10**11), st.integers(0, 10**10), st.sampled_from(STEPS), st.integers(1, 200))
def test_on_a_linear_axis_later_is_never_left_of_earlier(ns: int, more: int, step: int, right: int) -> None:
    axis = LinearAxis(0, right, step, -step)
    assert axis.left <= axis.column(ns) <= axis.column(ns + more) < axis.right
    assert axis.left - 1 <= axis.zero <= axis.right


@given(st.integers(0, 79))
def test_a_column_has_the_time_that_has_the_column(column: int) -> None:
    for axis in (LinearAxis(0, 80, 200_000, -200_000), LogAxis.over(0, 80, 300_000_000)):
        assert axis.column(axis.time(column)) == column


def test_labels_of_a_linear_axis_stand_at_whole_divisions() -> None:
    axis = LinearAxis(10, 70, 200_000, -200_000)
    assert list(axis.ticks())[:4] == [(10, "-200µs"), (20, ""), (30, "200µs"), (40, "400µs")]
    assert (tick(1_200_000), tick(10**9), tick(12_340_000)) == ("1.2ms", "1s", "12.34ms")


# --- cursors --------------------------------------------------------------------------------------------


def test_the_cursor_walks_from_moment_to_moment_and_stays_at_the_ends() -> None:
    lens = WIDEST
    walked = []
    for _ in SPOTS:
        lens = stepped(lens, RUN, SPOTS, 1)
        walked.append(lens.cursor)
    assert walked == [pin(RUN, spot) for spot in SPOTS]
    assert stepped(lens, RUN, SPOTS, 1) == lens
    assert stepped(lens, RUN, SPOTS, -1).cursor == walked[-2]


@pytest.mark.parametrize(("direction", "expected"), [(1, 5), (-1, 4)])
def test_from_a_time_between_two_moments_it_walks_to_the_one_on_that_side(direction: int, expected: int) -> None:
    between = replace(pin(RUN, SPOTS[4]), t=SPOTS[4].mark.t + 1, moment=None)
    lens = stepped(replace(WIDEST, cursor=between), RUN, SPOTS, direction)
    assert lens.cursor == pin(RUN, SPOTS[expected])


def test_a_cursor_of_another_run_is_none() -> None:
    old = replace(pin(RUN, SPOTS[4]), run=99)
    assert old.mark(RUN) is None
    assert stepped(replace(WIDEST, cursor=old), RUN, SPOTS, 1).cursor == pin(RUN, SPOTS[0])


def test_at_a_playhead_stands_the_last_moment_that_has_come() -> None:
    assert at_time(WIDEST, RUN, SPOTS, SPOTS[7].mark.t).cursor == pin(RUN, SPOTS[7])
    assert at_time(WIDEST, RUN, SPOTS, 0).cursor is None


def test_the_second_cursor_comes_and_goes() -> None:
    lens = paired(stepped(WIDEST, RUN, SPOTS, 1))
    assert lens.second == lens.cursor
    assert paired(lens).second is None
