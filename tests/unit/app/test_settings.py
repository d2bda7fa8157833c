"""What people change by hand reaches the lab's command, and nothing else changes."""

from __future__ import annotations

import pytest

from app import commands
from app.settings import TIMEOUTS, RunSettings
from probes.events import LanePlan

SETTINGS = RunSettings(
    "one-scope",
    "One scope",
    (LanePlan(lane="grpc", protocol="grpc", phase="mid-stream"), LanePlan(lane="pg", protocol="postgres", phase="x")),
)


def test_a_lanes_timeout_reaches_the_start_command() -> None:
    start = SETTINGS.with_timeout("pg", "command_timeout", 0.5).with_timeout("grpc", "deadline", None).to_start(7)
    assert (start.run, start.scenario, start.title, start.deadline) == (7, "one-scope", "One scope", None)
    assert [plan.timeouts for plan in start.lanes] == [{"deadline": None}, {"command_timeout": 0.5}]
    assert commands.decode(commands.encode(start)) == start


def test_the_scopes_deadline_is_its_own_row() -> None:
    changed = SETTINGS.with_timeout("", "deadline", 2.0)
    assert changed.to_start(1).deadline == 2.0
    assert changed.lanes is SETTINGS.lanes
    assert SETTINGS.deadline is None


def test_every_timeout_that_can_be_set_is_listed_in_order() -> None:
    rows = list(SETTINGS.with_timeout("pg", "timeout", 1.0).timeouts())
    assert rows == [
        ("", "deadline", None),
        ("grpc", "deadline", None),
        ("grpc", "asyncio.timeout", None),
        ("pg", "timeout", 1.0),
        ("pg", "command_timeout", None),
        ("pg", "statement_timeout", None),
        ("pg", "close", None),
        ("pg", "asyncio.timeout", None),
    ]
    assert set(TIMEOUTS) == {"", "grpc", "http/1.1", "http/2", "postgres"}


@pytest.mark.parametrize(
    ("lane", "name", "seconds", "says"),
    [
        ("mysql", "read", 1.0, "the lanes are grpc, pg"),
        ("grpc", "read", 1.0, "grpc has no timeout 'read': it has deadline"),
        ("", "read", 1.0, "the scope has no timeout"),
        ("grpc", "deadline", 0.0, "above 0"),
        ("grpc", "deadline", -1.0, "above 0"),
    ],
)
def test_what_cannot_be_set_is_refused(lane: str, name: str, seconds: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SETTINGS.with_timeout(lane, name, seconds)
