"""Times are read with their unit, and written so that they read back the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.units import format_duration, parse_duration, seconds_text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("1.5s", 1.5),
        (" 2 min ", 120.0),
        ("10us", 0.00001),
        ("10µs", 0.00001),
        (".5s", 0.5),
        ("0s", 0.0),
        ("1H".replace("H", "m"), 60.0),
        ("none", None),
        ("-", None),
        ("Off", None),
    ],
)
def test_what_people_write(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("250", 'write "250ms" or "250s"'),
        ("", "write a number and its unit"),
        ("-5ms", "write a number and its unit"),
        ("5 parsecs", "unknown unit"),
        ("nan", "is no time"),
        ("1e9s", "is no time"),
        ("1s500ms", "is no time"),
        ("61min", "longer than an hour"),
    ],
)
def test_what_is_refused_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_duration(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (None, "none"),
        (0, "0s"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (12_345_678, "12345.678us"),
        (1_234_567_891, "1234567.891us"),
        (1_001_000, "1.001ms"),
        (10_000, "10us"),
        (-1_500_000, "-1.5ms"),
        (999, "999ns"),
    ],
)
def test_what_is_written(ns: int | None, text: str) -> None:
    assert format_duration(ns) == text


@given(st.one_of(st.none(), st.integers(0, 3_600_000_000_000)))
def test_what_is_written_reads_back(ns: int | None) -> None:
    seconds = parse_duration(format_duration(ns))
    assert (None if seconds is None else round(seconds * 1e9)) == ns
    assert seconds_text(seconds) == format_duration(ns)
