"""The console at its real edges: over a child process that speaks the lab's language, and in a terminal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import commands
from app.console import CancelloscopeApp
from app.pump import LabProcess
from app.source import LabHandle
from probes.events import Event
from tests.kit import console_kit as kit
from tests.kit.terminal import Terminal
from tests.pilot.conftest import shown

GOLDEN = Path(__file__).parents[1] / "golden" / "every-kind.v1.jsonl"
SCRIPTED = (sys.executable, "-m", "tests.kit.scripted_lab")


class Watched:
    """Makes a lab's process, and lets a test wait for what it says."""

    def __init__(self, argv: tuple[str, ...] = SCRIPTED) -> None:
        self._argv = argv
        self._news = asyncio.Event()

    def __call__(self, on_events: Callable[[list[Event]], None]) -> LabHandle:
        def heard(batch: list[Event]) -> None:
            on_events(batch)
            self._news.set()

        return LabProcess(heard, argv=self._argv)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():
                self._news.clear()
                await self._news.wait()


async def test_a_run_over_a_real_child() -> None:
    watched = Watched()
    app = CancelloscopeApp(watched, kit.settings())
    try:
        async with app.run_test(size=(120, 36)) as pilot:
            await watched.until(lambda: app.source.session.ready)
            await pilot.press("enter")
            await watched.until(lambda: app.source.run.open)
            await pilot.press("c")
            await watched.until(lambda: app.source.run.outcome == "settled")
            assert all(0 < lane.key_ns < lane.layers[0].marks[0].t for lane in app.source.run.lanes)
            app.scope.draw()
            await pilot.pause()
            assert "→ FIN" in shown(app.screen.query_one("#timeline"))  # type: ignore[arg-type]
    finally:
        await app.handle.stop()


async def test_a_lab_that_dies_in_a_run_leaves_a_run_that_says_so() -> None:
    watched = Watched()
    app = CancelloscopeApp(watched, kit.settings())
    try:
        async with app.run_test(size=(120, 36)) as pilot:
            await watched.until(lambda: app.source.session.ready)
            start = kit.settings().to_start(app.source.next_run())
            app.handle.send(commands.Start(run=start.run, scenario="die", title="die", lanes=start.lanes))
            await watched.until(lambda: app.source.run.outcome == "aborted")
            app.scope.draw()
            await pilot.pause()
            assert "aborted: lab died: SIGKILL" in shown(app.screen.query_one("#timeline"))  # type: ignore[arg-type]
            await watched.until(lambda: app.source.session.ready)
            assert app.scope.check_action("start", ()) is True
    finally:
        await app.handle.stop()


async def test_a_lab_that_cannot_be_started_says_so() -> None:
    app = CancelloscopeApp(Watched(("/nowhere/lab",)), kit.settings())
    async with app.run_test(size=(120, 36)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.pause()
        (notice,) = app._notifications
        assert notice.message.startswith("the lab cannot be started")
    await app.handle.stop()


# --- in a terminal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("leave", ["q", "SIGTERM"])
async def test_a_replay_in_a_terminal_gives_it_back(leave: str) -> None:
    with Terminal(sys.executable, "-m", "app", "replay", str(GOLDEN)) as terminal:
        await terminal.until(b"REPLAY")
        if leave == "q":
            terminal.press(b"q")
        else:
            terminal.process.send_signal(signal.SIGTERM)
        assert await terminal.status() == 0
    assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
    assert b"Traceback" not in terminal.output
