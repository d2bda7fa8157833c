"""Time to columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.paint.axis import LogAxis

AXIS = LogAxis(left=10, zero=20, right=83, before=300_000_000)
"""A decade is ten columns."""


@pytest.mark.parametrize(
    ("ns", "column"),
    [
        (-300_000_000, 10),
        (-150_000_000, 15),
        (-1, 19),
        (0, 20),
        (5_000, 21),
        (10_000, 22),
        (100_000, 32),
        (316_228, 37),
        (1_000_000, 42),
        (1_000_000_000, 72),
        (10_000_000_000, 82),
        (99_000_000_000, 82),
        (-99_000_000_000, 10),
    ],
)
def test_a_known_time_has_a_known_column(ns: int, column: int) -> None:
    assert AXIS.decade == 10
    assert AXIS.column(ns) == column


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.integers(30, 200))
def test_later_is_never_left_of_earlier(ns: int, more: int, right: int) -> None:
    axis = LogAxis.over(20, right, 300_000_000)
    assert axis.left <= axis.column(ns) <= axis.column(ns + more) < axis.right


@given(st.integers(1, 10**12))
def test_before_and_after_the_trigger_are_apart(ns: int) -> None:
    assert AXIS.column(-ns) < AXIS.zero <= AXIS.column(ns)


@given(st.integers(24, 220))
def test_labels_do_not_touch(right: int) -> None:
    axis = LogAxis.over(0, right, 1)
    ends = 0
    for column, label in axis.ticks():
        if label:
            start = min(column, axis.right - len(label))
            assert start >= ends
            ends = start + len(label) + 1


def test_labels_stand_at_their_powers_of_ten() -> None:
    assert {label: column for column, label in AXIS.ticks()}["1ms"] == AXIS.column(1_000_000)
