"""The lab as the app's child: started, listened to, recorded, and started again when it dies.

Bytes go to the recorder first, as they came, and only then through the decoder to the screen: what the recording
holds does not depend on anything that the app does with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app import commands
from app.paths import new_recording
from app.tape import Tape
from probes.codec import CodecError, decode
from probes.events import ChildDied, ChildSaid, ChildStarted, Event, Note, Progress, RunEnded, ScenarioLoaded
from probes.record import Recorder, redact
from probes.sink import Sink
from probes.tasks import TaskKeeper

DSN_VARIABLE = "CANCELLOSCOPE_PG"
"""How the DSN reaches the lab: not in argv, which everybody on the machine can read."""

LAB = "lab"
_BLOCK = 1 << 18
_QUIT_TIMEOUT = 3.0
_KILL_TIMEOUT = 3.0
_TERMINATE_TIMEOUT = 1.0
_EXIT_TIMEOUT = 1.0
_DEATHS = 3
_DEATHS_WITHIN_NS = 10_000_000_000
_BACKOFF = 0.2


class LabProcess:
    """One lab at a time. ``on_events`` gets decoded events, once for each block that was read.

    ``dsn``: a PostgreSQL server to use instead of the embedded one. ``header``: makes the header of a recording.
    ``argv``: what to start instead of the lab.
    """

    def __init__(
        self,
        on_events: Callable[[list[Event]], None],
        *,
        dsn: str | None = None,
        header: Callable[[], Mapping[str, object]] = dict,
        argv: Sequence[str] = (sys.executable, "-P", "-m", "app.lab"),
    ) -> None:
        self._on_events, self._dsn, self._header, self._argv = on_events, dsn, header, tuple(argv)
        self._tape = Tape()
        self._sink = Sink("app", self._said)
        self._tasks = TaskKeeper(lambda name, error: self._note(f"{name}: {type(error).__name__}: {error}"))
        self._batch: list[Event] | None = None
        self._process: Process | None = None
        self._living: asyncio.Task[None] | None = None
        self._deaths: deque[int] = deque(maxlen=_DEATHS)
        self._stopping = False
        self.given_up = ""
        """Why the lab is not started again; empty while it is."""
        self.recording_error = ""
        """Why the last recording ended before it was told to."""
        self._last_words = ""

    # --- its life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the lab; return as soon as it runs, long before it is ready. Raises OSError when it cannot start."""
        env = {**os.environ} if self._dsn is None else {**os.environ, DSN_VARIABLE: self._dsn}
        # A session of its own, so that the terminal's Ctrl-C does not reach it: the app decides what is stopped.
        self._process = process = await asyncio.create_subprocess_exec(
            *self._argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, start_new_session=True
        )
        self._sink.emit(ChildStarted, child=LAB, pid=process.pid)
        self._living = self._tasks.start(self._live(process), name="lab")

    async def stop(self) -> None:
        """Quit, and within a few seconds it is gone: by itself, terminated, or killed with its whole session."""
        self._stopping = True
        if self._process is not None and self._living is not None and not self._living.done():
            self.send(commands.Quit())
            await _end(self._process, self._living)
        await self._tasks.close()
        self._tape.close()

    async def renew(self) -> None:
        """Have another lab: one that hangs is killed, and started again as after any death; one that was given up
        gets a new chance. Raises OSError when it cannot start."""
        if self._process is not None and self.pid:
            _signal(self._process, signal.SIGKILL)
        elif self.given_up:
            self.given_up = ""
            self._deaths.clear()
            self._sink.emit(Progress, part=LAB, state="starting", detail="once more")
            await self.start()

    @property
    def pid(self) -> int:
        """The lab's process, 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    def send(self, command: commands.AnyCommand) -> None:
        """Pass a command on. One that starts a run is answered with an aborted run when there is no lab."""
        starts = isinstance(command, commands.Start) and not self._tape.open_run
        if isinstance(command, commands.Start) and starts:
            self._tape.open_run = command.run
        if self.pid:
            assert self._process is not None
            assert self._process.stdin is not None
            self._process.stdin.write(commands.encode(command))
        elif starts:
            self._abort_run("there is no lab")

    # --- recording ------------------------------------------------------------------------------------

    def tell_scenario(self, name: str, text: str) -> None:
        """Have it recorded, now or in a recording that begins later, that runs are those of another scenario."""
        self._sink.emit(ScenarioLoaded, name=name, text=text)

    @property
    def recording(self) -> Path | None:
        """The file that is being written."""
        return self._tape.path

    def start_recording(self, path: Path | None, *, overwrite: bool = False) -> Path:
        """Record from now on, with the session so far and the open run in front; into ``path``, or a new file in the
        current directory. Raises RecordingError."""
        self.stop_recording()
        path = path or new_recording()
        loop = asyncio.get_running_loop()

        def failed(text: str) -> None:
            loop.call_soon_threadsafe(self._recording_failed, text)

        self._tape.start(Recorder(path, self._header(), overwrite=overwrite, on_error=failed))
        return path

    def stop_recording(self) -> None:
        """End the recording, if there is one. Its last lines are written in the background."""
        self._tape.stop()

    def _recording_failed(self, text: str) -> None:
        self.recording_error = text
        self._tape.stop()
        self._sink.emit(Note, text=text)

    # --- listening ------------------------------------------------------------------------------------

    async def _live(self, process: Process) -> None:
        """From the lab's start to its death, and what follows from that."""
        overhearing = self._tasks.start(self._overhear(process), name="lab: stderr")
        await self._listen(process)
        status = await _status(process)
        # What it wrote last is on its way; a grandchild that holds the pipe must not keep us.
        await asyncio.wait({overhearing}, timeout=_EXIT_TIMEOUT)
        overhearing.cancel()
        if not self._stopping:
            self._died(process.pid, status)

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        rest = b""
        while block := await process.stdout.read(_BLOCK):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                self._take(whole + newline)
        if rest:
            self._sink.emit(Note, text=f"the lab's last line was cut after {len(rest)} bytes")

    def _take(self, lines: bytes) -> None:
        self._tape.write(lines)
        self._batch = batch = []
        for line in lines.split(b"\n")[:-1]:
            try:
                event = decode(line)
            except CodecError as error:
                self._sink.emit(Note, text=f"the lab said what is no event: {error}")
                continue
            self._tape.remember(event, line)
            batch.append(event)
        self._batch = None
        self._on_events(batch)

    async def _overhear(self, process: Process) -> None:
        assert process.stderr is not None
        rest = b""
        while block := await process.stderr.read(_BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                self._overheard(_text(line))
        if rest:
            self._overheard(_text(rest))

    def _overheard(self, text: str) -> None:
        self._last_words = text or self._last_words
        self._sink.emit(ChildSaid, child=LAB, text=text)

    def _said(self, event: Event, line: bytes) -> None:
        """The app's own events take the same way as the lab's."""
        self._tape.write(line + b"\n")
        self._tape.remember(event, line)
        if self._batch is None:
            self._on_events([event])
        else:
            self._batch.append(event)

    # --- dying ----------------------------------------------------------------------------------------

    def _died(self, pid: int, status: str) -> None:
        self._sink.emit(ChildDied, child=LAB, pid=pid, status=status)
        self._abort_run(f"lab died: {status}")
        now = self._sink.clock.now().t
        self._deaths.append(now)
        if len(self._deaths) == _DEATHS and now - self._deaths[0] < _DEATHS_WITHIN_NS:
            words = f", {self._last_words}" if self._last_words else ""
            self._give_up(f"the lab died {_DEATHS} times within {_DEATHS_WITHIN_NS // 10**9} s ({status}{words})")
        else:
            self._tasks.start(self._restart(), name="restart the lab")

    async def _restart(self) -> None:
        await asyncio.sleep(_BACKOFF * 2 ** (len(self._deaths) - 1))
        try:
            await self.start()
        except OSError as error:
            self._give_up(f"the lab cannot be started: {error}")

    def _give_up(self, why: str) -> None:
        self.given_up = why
        self._sink.emit(Progress, part=LAB, state="failed", detail=f"{why}: it is not started again")

    def _abort_run(self, why: str) -> None:
        if self._tape.open_run:
            self._sink.emit(RunEnded, run=self._tape.open_run, outcome="aborted", detail=why)

    def _note(self, text: str) -> None:
        self._sink.emit(Note, text=text)


def _text(line: bytes) -> str:
    return redact(line.decode("utf-8", "replace").rstrip())


async def _status(process: Process) -> str:
    """How it ended: ``SIGKILL``, ``exit status 1``. One that closed its pipe and lives on is killed."""
    if not await _exited(process):
        _signal(process, signal.SIGKILL)
        await _exited(process)
    code = process.returncode
    if code is None or code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


async def _exited(process: Process) -> bool:
    # asyncio's wait() also waits for the pipes, and a grandchild may hold one: the status counts, not the wait.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_EXIT_TIMEOUT):
            await process.wait()
    return process.returncode is not None


async def _end(process: Process, living: asyncio.Task[None]) -> None:
    """Until ``living`` has seen the end: end of file first, then SIGTERM, then SIGKILL."""
    assert process.stdin is not None
    process.stdin.close()
    for timeout, number in ((_QUIT_TIMEOUT, signal.SIGTERM), (_TERMINATE_TIMEOUT, signal.SIGKILL)):
        done, _ = await asyncio.wait({living}, timeout=timeout)
        if done:
            return
        _signal(process, number)
    await asyncio.wait({living}, timeout=_KILL_TIMEOUT)


def _signal(process: Process, number: signal.Signals) -> None:
    """To the whole session: what the lab started and still belongs to it goes too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
