"""Real labs for tests: ``app.pump.LabProcess`` over ``python -P -m app.lab``, with real servers and PostgreSQL.

``async with running() as lab`` starts one and waits until it is ready (0.5 to 1 s). Tests that leave it as they found
it can share it: each takes runs of its own. Everything is waited for by events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from app import commands
from app.pump import LabProcess
from app.results import Results
from app.scenario import LaneSpec
from probes.clock import Clock
from probes.events import (
    CALL,
    TICKS,
    TO_CLIENT,
    TO_SERVER,
    ChildStarted,
    CleanedUp,
    DecoderLost,
    Event,
    FrameSeen,
    LabReady,
    LanePlan,
    Note,
    PhaseReached,
    RunEnded,
    RunStarted,
    Signal,
    SpanCancelled,
    SpanEnded,
    SpanFailed,
    SpanStarted,
    Trigger,
)
from probes.fold import fold, order_key, wire_evidence
from probes.state import LaneState, RunState
from probes.verdict import violations
from tests.kit.pg_kit import cache_directory

T = TypeVar("T")
E = TypeVar("E", bound=Event)
LIMIT = 20.0
"""Seconds for whatever must happen in the end, on a machine that is busy with other things."""
PATIENT, WATCHED = 2 * LIMIT, 1.0
"""Seconds to settle. A run ends when it has settled, so that patience costs nothing where every lane comes to its end;
one that waits for what never comes is found out by the limit of its test. A run with a lane that is never told takes
all of its time, and the others have to be told within it."""
_UPKEEP = frozenset({"WINDOW_UPDATE", "PING", "SETTINGS"})
HOME = "XDG_CACHE_HOME"
"""Leads every process of a test to a cache that no other test has, and so tells whose process it is."""


def lane(protocol: str, phase: str, **fields: Any) -> LanePlan:
    """A lane's plan, checked and completed as that of a scenario's file. Times are texts with their unit."""
    return LaneSpec(protocol=protocol, phase=phase, **fields).to_plan()  # type: ignore[arg-type]


def settle(*plans: LanePlan) -> float:
    """Seconds that are enough for these lanes on a busy machine."""
    return WATCHED if any(plan.protocol == "http/2" for plan in plans) else PATIENT


@dataclass(frozen=True)
class Ran:
    """A run that has ended: its events in order, what they fold to, and the object that the command prints."""

    events: list[Event]
    state: RunState
    result: dict[str, Any]

    def of(self, kind: type[E], lane: str = "") -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and lane in ("", event.lane)]

    def lane(self, name: str) -> LaneState:
        found = self.state.lane(name)
        assert found is not None, f"no lane {name}"
        return found

    def printed(self, name: str) -> dict[str, Any]:
        """The lane's part of the object that is printed."""
        found: dict[str, Any] = self.result["lanes"][name]
        return found

    def triggers(self) -> list[tuple[str, str]]:
        """(lane, cause) of each, in order."""
        return [(event.lane, event.cause) for event in self.of(Trigger)]

    def told(self) -> dict[str, int]:
        """How often the lab ended each lane's call, by cancelling its task or otherwise; the others are absent.
        A server that acts for it says so as well."""
        return dict(Counter(event.lane for event in self.of(Signal) if event.src == "lab"))

    def answers(self, lane: str) -> list[str]:
        """What passed the lane's tap between its trigger and its teardown, without HTTP/2's upkeep: direction, name and
        code of each."""
        found = self.lane(lane)
        assert found.zero is not None, f"{lane} was not triggered"
        assert found.teardown is not None
        frames = [frame for frame in self.of(FrameSeen, lane) if frame.name not in _UPKEEP]
        return [
            wire_evidence(frame).replace(TO_SERVER, "→").replace(TO_CLIENT, "←")
            for frame in frames
            if found.zero.t <= frame.t < found.teardown
        ]

    def check(self) -> None:
        """What holds for each run, whatever was done to it."""
        assert self.state.outcome in ("settled", "aborted")
        assert not self.of(DecoderLost)
        twice = {found.name for found in self.state.lanes if found.plan.options.get("second_cancel")}
        assert all(count == 1 + (name in twice) for name, count in self.told().items()), self.told()
        for spans in (self.of(SpanStarted), self._of_ended(), self.of(CleanedUp)):
            assert max(Counter((event.src, event.span) for event in spans if event.span).values(), default=1) == 1
        for found in self.state.lanes:
            assert violations(found) == 0, (found.client.violations, found.server.violations)
            self._check_chunks(found)

    def _check_chunks(self, found: LaneState) -> None:
        read, on_wire, accepted = found.chunks.read, found.chunks.on_wire, found.chunks.accepted
        if accepted is not None and any(
            "at write #" in event.evidence
            for event in [*self.of(SpanCancelled, found.name), *self.of(SpanFailed, found.name)]
        ):
            # A write that was cancelled was not accepted, and may have left all the same.
            accepted += 1
        if on_wire is None:
            # TLS: nobody can count.
            on_wire = read
        assert read is None or on_wire is None or read <= on_wire, (found.name, found.chunks)
        if " died: " in self.state.detail:
            # What a killed process had accepted last it may not have said.
            return
        assert accepted is None or on_wire is None or on_wire <= accepted, (
            found.name,
            found.chunks,
            found.layer("server").marks,
        )

    def _of_ended(self) -> list[SpanEnded]:
        return [event for event in self.events if isinstance(event, SpanEnded)]


class Lab:
    """A lab process and what it said."""

    def __init__(self) -> None:
        self.process = LabProcess(self._take)
        self.events: list[Event] = []
        self._news = asyncio.Event()
        self._runs = 0

    def _take(self, events: list[Event]) -> None:
        self.events += events
        self._news.set()
        self._news = asyncio.Event()

    def of(self, kind: type[E], run: int | None = None) -> list[E]:
        return [event for event in self.events if isinstance(event, kind) and run in (None, event.run)]

    def notes(self) -> list[str]:
        return [note.text for note in self.of(Note)]

    def pid(self, child: str) -> int:
        """Of the last child of that name that was started."""
        return [event.pid for event in self.of(ChildStarted) if event.child == child][-1]

    async def until(self, condition: Callable[[], T]) -> T:
        """Wait for ``condition`` to become true; it is looked at after every block of events. Fails after LIMIT s."""
        async with asyncio.timeout(LIMIT):
            while not (value := condition()):
                await self._news.wait()
            return value

    async def ready(self, *, after: int = 0) -> LabReady:
        """Wait until runs can be fired. ``after`` (ns): what was said before it does not count."""
        return (await self.until(lambda: [event for event in self.of(LabReady) if event.t > after]))[0]

    # --- runs -----------------------------------------------------------------------------------------

    def fire(self, *lanes: LanePlan, settle: float = 1.0, **fields: Any) -> int:
        """Start a run of these lanes; its number. ``fields``: those of ``commands.Start``."""
        self._runs += 1
        self.process.send(
            commands.Start(run=self._runs, scenario="test", title="test", lanes=lanes, settle=settle, **fields)
        )
        return self._runs

    async def started(self, run: int) -> RunStarted:
        return (await self.until(lambda: self.of(RunStarted, run)))[0]

    async def armed(self, run: int) -> None:
        """Wait until every lane is in its phase. Fails when one is over without it."""
        names = {plan.lane for plan in (await self.started(run)).lanes}
        await self.until(lambda: names <= self._in_phase(run) | self.over_now(run))
        assert names <= self._in_phase(run), f"over before its phase: {names - self._in_phase(run)}"

    async def in_phase(self, run: int, lane: str) -> None:
        """Wait until one lane is in its phase."""
        await self.until(lambda: lane in self._in_phase(run))

    async def over(self, run: int, lane: str) -> None:
        """Wait until the calling task of ``lane`` has ended."""
        await self.until(lambda: lane in self.over_now(run))

    def cancel(self, lane: str = "", cause: str = "key") -> None:
        """Press the key: cancel all lanes of the open run, or one."""
        self.process.send(commands.Cancel(lane=lane, cause=cause, key_ns=Clock().now().t))

    def stop(self) -> None:
        """End the open run: what is to be seen of it has been seen, and the rest of its time would be waited out."""
        self.process.send(commands.Stop())

    async def ended(self, run: int) -> Ran:
        """Wait for the end of ``run``; what is true of all runs is checked."""
        await self.until(lambda: self.of(RunEnded, run))
        ran = self.ran(run)
        ran.check()
        return ran

    async def cancelled(self, *lanes: LanePlan, settle: float = 1.0) -> Ran:
        """A whole run: fire, wait until all lanes are in their phase, press the key."""
        run = self.fire(*lanes, settle=settle)
        await self.armed(run)
        self.cancel()
        return await self.ended(run)

    def ran(self, run: int) -> Ran:
        maker = Results()
        printed = [found for event in self.events if event.run in (0, run) and (found := maker.add(event))]
        events = sorted((event for event in self.events if event.run == run), key=order_key)
        return Ran(events, fold(events), printed[0] if printed else {})

    def forget(self) -> None:
        """Keep what was said of the session alone, without its ticks: for those who run for very long."""
        self.events = [event for event in self.events if not event.run and type(event) not in TICKS]

    def _in_phase(self, run: int) -> set[str]:
        return {event.lane for event in self.of(PhaseReached, run)}

    def over_now(self, run: int) -> set[str]:
        """The lanes whose calling task has ended."""
        ends = [event for event in self.events if isinstance(event, SpanEnded) and event.run == run]
        return {event.lane for event in ends if event.layer == "caller" and event.name == CALL}


def gaps(events: list[Event], src: str) -> list[tuple[int, int]]:
    """(before, after) wherever the count of a process that did not die is not one more than the last: a loss."""
    counts = [event.seq for event in events if event.src == src]
    return [(before, after) for before, after in zip([0, *counts], counts, strict=False) if after != before + 1]


# --- labs and their processes ---------------------------------------------------------------------------


@contextlib.contextmanager
def own_home() -> Iterator[Path]:
    """A cache for the processes that are started in the block; at the end none of them may be left."""
    with cache_directory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME, str(home))
        yield home
        gone(home)


@contextlib.asynccontextmanager
async def running(record: Path | None = None) -> AsyncIterator[Lab]:
    """A lab that is ready, for the time of the block; all that is said goes into ``record``."""
    lab = Lab()
    if record is not None:
        lab.process.start_recording(record)
    await lab.process.start()
    try:
        await lab.ready()
        yield lab
    finally:
        await lab.process.stop()


def processes_of(home: Path) -> dict[int, str]:
    """pid -> command of every process that was started with this cache: apps, labs, servers, supervisors, postgres."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            # PostgreSQL has an environment of its own, and its data directory as working directory.
            ours = process.environ().get(HOME) == str(home) or Path(process.cwd()).is_relative_to(home)
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = " ".join(process.cmdline())
    return found


def gone(home: Path) -> None:
    """Wait until no process has this cache. Fails after LIMIT seconds."""
    left = []
    for pid in processes_of(home):
        with contextlib.suppress(psutil.NoSuchProcess):
            left.append(psutil.Process(pid))
    _, alive = psutil.wait_procs(left, timeout=LIMIT)
    assert not alive, processes_of(home)
    assert processes_of(home) == {}
