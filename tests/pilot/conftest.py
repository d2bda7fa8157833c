"""Consoles over a recording handle, on a clock that is moved by hand, with no ticker: a test draws the frames."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from app.console import CancelloscopeApp
from app.settings import RunSettings
from app.source import LabHandle
from app.widgets.board import Board
from app.widgets.panel import Canvassed, Panel
from probes.events import Event
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, RecordingHandle


class Console:
    """A live console under test."""

    def __init__(self, app: CancelloscopeApp, pilot: Pilot[None], clock: ManualClock) -> None:
        self.app, self.pilot, self.clock = app, pilot, clock

    @property
    def handle(self) -> RecordingHandle:
        assert isinstance(self.app.handle, RecordingHandle)
        return self.app.handle

    async def say(self, events: Iterable[Event], now: int | None = None) -> None:
        """Events arrive, and a frame is drawn at ``now``."""
        self.clock.now = self.clock.now if now is None else now
        self.app.on_events(list(events))
        await self.frame()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.frame()

    async def frame(self) -> None:
        self.app.scope.tick()
        await self.pilot.pause()

    def text(self, panel: str) -> str:
        """What a panel of the screen on top shows."""
        return shown(self.app.screen.query_one(f"#{panel}", Panel))

    def board(self) -> str:
        """What the dialog on top shows."""
        return shown(self.app.screen.query_one("#board", Board))


def shown(panel: Canvassed) -> str:
    return "\n".join(panel.render_line(y).text.rstrip() for y in range(panel.size.height))


Open = Callable[..., AbstractAsyncContextManager[Console]]


@pytest.fixture
def console(tmp_path: Path) -> Open:
    """``console(size=(columns, rows), plan=...)`` opens one."""

    @asynccontextmanager
    async def open_console(
        size: tuple[int, int] = (120, 36), plan: RunSettings | None = None
    ) -> AsyncIterator[Console]:
        clock = ManualClock()

        def factory(on_events: Callable[[list[Event]], None]) -> LabHandle:
            return RecordingHandle(on_events, tmp_path)

        app = CancelloscopeApp(factory, plan or kit.settings(), clock=clock, ticker=False)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            app.scope.draw()
            await pilot.pause()
            yield Console(app, pilot, clock)

    return open_console
