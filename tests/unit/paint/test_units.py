"""Figures for the eye, and the times that people type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.paint.units import figure, residue_text, seconds, size
from app.steps import STEPS, nudge, parse
from probes.units import parse_duration, seconds_text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "-"),
        (0, "0.0 µs"),
        (900, "0.9 µs"),
        (92_140, "92 µs"),
        (999_499, "999 µs"),
        (999_600, "1.0 ms"),
        (1_300_000, "1.3 ms"),
        (9_960_000, "10 ms"),
        (940_000_000, "940 ms"),
        (2_500_000_000, "2.5 s"),
        (4_000_000_000_000, "4000 s"),
        (-1_300_000, "-1.3 ms"),
    ],
)
def test_figures(ns: int | None, text: str) -> None:
    assert figure(ns) == text


@given(st.integers(0, 10**13))
def test_a_figure_is_off_by_no_more_than_its_last_digit(ns: int) -> None:
    number, unit = figure(ns).split()
    scale = {"µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    last = 0.1 if "." in number else 1.0
    assert abs(float(number) * scale - ns) <= 0.51 * last * scale


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1229, "1.2 KiB"), (118 * 1024, "118 KiB"), (5 << 20, "5.0 MiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "none"), (2.0, "2 s"), (1.5, "1.5 s"), (0.25, "250 ms"), (0.0001, "100 µs")]
)
def test_timeouts_as_they_are_shown(value: float | None, text: str) -> None:
    assert seconds(value) == text


@given(st.one_of(st.none(), st.integers(1, 3600 * 10**9)))
def test_what_the_editor_writes_reads_back_the_same(ns: int | None) -> None:
    value = None if ns is None else ns / 1e9
    again = parse(seconds_text(value))
    assert again == pytest.approx(value, abs=1e-9) if value is not None else again is None


@pytest.mark.parametrize("text", ["", "  ", "none", "off", "-"])
def test_empty_and_none_switch_a_timeout_off(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "what"), [("0s", "above 0"), ("250", 'write "250ms"'), ("soon", "is no time"), ("1h", "unknown unit")]
)
def test_a_wrong_time_says_what_would_be_right(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse(text)


def test_steps_are_one_two_five() -> None:
    assert STEPS[:4] == (0.001, 0.002, 0.005, 0.01)
    assert STEPS[-1] == 100


@pytest.mark.parametrize(
    ("text", "direction", "after"),
    [("250ms", 1, "500ms"), ("250ms", -1, "200ms"), ("200ms", 1, "500ms"), ("1ms", -1, "1ms"), ("100s", 1, "none")],
)
def test_a_nudge_goes_to_the_next_step(text: str, direction: int, after: str) -> None:
    assert seconds_text(nudge(parse_duration(text), direction)) == after


def test_below_off_comes_the_longest() -> None:
    assert nudge(None, -1) == 100
    assert nudge(None, 1) is None


def test_one_of_a_thing_is_singular() -> None:
    assert residue_text({"handlers": 1, "streams": 2, "pool slots": 0}) == "1 handler, 2 streams"
    assert residue_text({}) == ""
