"""The grid of phases and causes: total, and honest about what cannot be."""

from __future__ import annotations

import pytest

from probes.catalogue import BOUNDS, CAUSES, PHASES, PROTOCOLS, TIMEOUTS, TIMERS, cells, why_not


def test_every_cell_has_an_answer_and_most_are_possible() -> None:
    grid = list(cells())
    assert len(grid) == sum(len(PHASES[name]) * len(CAUSES[name]) for name in PROTOCOLS)
    assert len(set(grid)) == len(grid)
    assert sum(not why for *_, why in grid) > len(grid) // 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_phase_and_every_cause_is_possible_somewhere(protocol: str) -> None:
    possible = [(phase, cause) for name, phase, cause, why in cells() if name == protocol and not why]
    assert {phase for phase, _ in possible} == set(PHASES[protocol])
    assert {cause for _, cause in possible} == set(CAUSES[protocol])


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_timer_is_a_timeout_that_the_protocol_has(protocol: str) -> None:
    timers = [TIMERS[cause] for cause in CAUSES[protocol] if cause in TIMERS]
    bounds = [BOUNDS[cause] for cause in CAUSES[protocol] if cause in BOUNDS]
    assert {*timers, *bounds} == set(TIMEOUTS[protocol])


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match="no phase"):
        why_not("grpc", "DNS", "deadline")
    with pytest.raises(KeyError, match="no cause"):
        why_not("grpc", "connecting", "terminate")


def test_an_upload_over_http2_that_waits_for_the_window_waits_in_a_read() -> None:
    assert why_not("http/2", "request body", "read timeout") == ""
    assert "response headers, response body only" in why_not("http/1.1", "request body", "read timeout")
