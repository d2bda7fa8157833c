"""The console at its real edges: over a child process that speaks the lab's language, and in a terminal."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app import commands
from app.console import CancelloscopeApp
from app.pump import LabProcess
from app.source import LabHandle
from probes.events import Event
from tests.kit import console_kit as kit
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


class Terminal:
    """The command in a pseudo-terminal of 100 by 30."""

    def __init__(self, *args: str) -> None:
        self.pid, self._fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm-256color", COLUMNS="100", LINES="30")
            os.execv(sys.executable, [sys.executable, "-m", "app", *args])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.output = b""

    def read_until(self, wanted: bytes | None) -> None:
        """Until ``wanted`` was printed, or the command is gone (None)."""
        end = time.monotonic() + 20
        while wanted is None or wanted not in self.output:
            assert time.monotonic() < end, self.output[-400:]
            if not select.select([self._fd], [], [], 1)[0]:
                continue
            try:
                block = os.read(self._fd, 1 << 16)
            except OSError:
                block = b""
            if not block:
                assert wanted is None, self.output[-400:]
                return
            self.output += block

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def status(self) -> int:
        self.read_until(None)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("leave", ["q", "SIGTERM"])
def test_a_replay_in_a_terminal_gives_it_back(leave: str) -> None:
    terminal = Terminal("replay", str(GOLDEN))
    terminal.read_until(b"REPLAY")
    if leave == "q":
        terminal.press(b"q")
    else:
        os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 0
    assert terminal.output.rindex(b"\x1b[?1049l") > terminal.output.rindex(b"\x1b[?1049h")
    assert b"Traceback" not in terminal.output
