"""A lab process over a scripted child, and a way to wait for what it says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from app.pump import LabProcess
from app.settings import RunSettings
from probes.events import Event, LanePlan

E = TypeVar("E", bound=Event)


class Heard:
    """What a lab process passed on, with waiting."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.blocks = 0
        self._more = asyncio.Event()

    def take(self, events: list[Event]) -> None:
        self.events += events
        self.blocks += 1
        self._more.set()
        self._more = asyncio.Event()

    def all(self, cls: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, cls)]

    async def until(self, cls: type[E], when: Callable[[E], bool] = lambda _event: True) -> E:
        """The first event of a kind for which ``when`` holds, heard already or within ten seconds."""
        async with asyncio.timeout(10):
            while True:
                more = self._more
                for event in self.all(cls):
                    if when(event):
                        return event
                await more.wait()


Start = Callable[..., Awaitable[tuple[LabProcess, Heard]]]


def argv(how: str) -> list[str]:
    return [sys.executable, "-m", "tests.kit.scripted_lab", how]


def settings(scenario: str = "one-scope", **fields: object) -> RunSettings:
    plans = (
        LanePlan(lane="grpc", protocol="grpc", phase="mid-stream"),
        LanePlan(lane="http/2", protocol="http/2", phase="response body"),
    )
    return RunSettings(**{"scenario": scenario, "title": "T", "lanes": plans, "hold": 0.0, **fields})  # type: ignore[arg-type]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """``await start("well", dsn=...)``: the process and what it says; it is stopped at the end."""
    labs: list[LabProcess] = []

    async def begin(how: str = "well", **fields: object) -> tuple[LabProcess, Heard]:
        heard = Heard()
        lab = LabProcess(heard.take, argv=argv(how), **fields)  # type: ignore[arg-type]
        labs.append(lab)
        await lab.start()
        return lab, heard

    yield begin
    for lab in labs:
        await lab.stop()
