"""Ten thousand cancels over all lanes: what everybody holds at the end is what they held after the first run."""

from __future__ import annotations

import os

import pytest

from probes.events import LanePlan
from probes.verdict import violations
from tests.kit.lab_kit import Lab, own_home, running

RUNS = int(os.environ.get("CANCELLOSCOPE_SOAK_RUNS", "10000"))
FOUR = (
    LanePlan(lane="grpc", protocol="grpc", phase="mid-stream", interval=0.001),
    LanePlan(lane="http/1.1", protocol="http/1.1", phase="response body", interval=0.001),
    LanePlan(lane="http/2", protocol="http/2", phase="response body", interval=0.001),
    LanePlan(lane="postgres", protocol="postgres", phase="statement executing", delay=60.0),
)
SLACK = {"tasks": 1, "other fds": 1, "backends idle": 1, "sockets": 2}
"""A connection that is just being replaced, or a task that is just ending, is no leak; thousands would be."""


@pytest.mark.soak
async def test_what_is_held_does_not_grow() -> None:
    with own_home():
        async with running() as lab:
            first = await one(lab)
            for _ in range(RUNS - 1):
                last = await one(lab)
    grown = {name: count - first.get(name, 0) for name, count in last.items()}
    assert not {name: more for name, more in grown.items() if more > SLACK.get(name, 0)}, (first, last)


async def one(lab: Lab) -> dict[str, int]:
    """A run that is cancelled as soon as all lanes are in their phase; what was held after it."""
    ran = await lab.cancelled(*FOUR, settle=0.05)
    assert ran.state.outcome == "settled"
    assert not any(violations(lane) for lane in ran.state.lanes)
    # The kit keeps what it heard; ten thousand runs of it would be the leak.
    lab.forget()
    return dict(ran.state.after)
