"""How often a cancel is delivered: asyncio's once, that of anyio's scope at each await until its block is left."""

from __future__ import annotations

import asyncio

import pytest

from probes.events import LanePlan
from probes.lanes.edge import Edge


@pytest.mark.parametrize(
    ("whose", "how", "met"),
    [
        ("asyncio", "task.cancel", ["caught", "went on"]),
        ("anyio", "CancelScope.cancel", ["caught", "cancelled again", "CancelledError"]),
    ],
)
async def test_who_catches_a_cancel_has_it_for_good_or_to_the_next_await(whose: str, how: str, met: list[str]) -> None:
    edge = Edge(LanePlan(lane="l", protocol="grpc", phase="first response", options={"edge": whose}))
    waits, found = asyncio.Event(), []

    async def call() -> None:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            found.append("caught")
        try:
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            found.append("cancelled again")
            raise
        found.append("went on")

    async def caller() -> None:
        try:
            await edge.within(call)
        except asyncio.CancelledError as error:
            found.append(type(error).__name__)

    task = asyncio.get_running_loop().create_task(caller())
    await waits.wait()
    edge.cancel(task)
    await task
    assert edge.how == how
    assert found == met
