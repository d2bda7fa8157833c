"""Runs without a screen: fire, cancel, print one result a run."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app import commands
from app.pump import LAB, LabProcess
from app.results import EndedRuns, result
from app.settings import RunSettings
from app.table import table, wants_colour
from probes.clock import Clock
from probes.events import CALL, Event, PhaseReached, RunEnded, SpanEnded
from probes.fold import fold_session
from probes.state import RunState, SessionState

READY_TIMEOUT = 60.0
_RUN_EXTRA = 60.0
"""Seconds beyond a run's own limits after which the lab is taken to hang."""


class NotReady(Exception):
    """The lab did not come up (``status`` 2), or went away for good in the middle (1); the text says why."""

    def __init__(self, text: str, status: int = 2) -> None:
        super().__init__(text)
        self.status = status


class Watch:
    """What a headless run waits for, kept up to date by the lab's events."""

    def __init__(self, show: Callable[[dict[str, Any]], None]) -> None:
        self._runs, self._show = EndedRuns(), show
        self.session = SessionState()
        self.last: RunState | None = None
        """The run that ended last; None before the first, and for one that never started."""
        self._changed = asyncio.Event()
        self._calling: set[str] = set()
        self.ended: RunEnded | None = None
        self.latest = 0
        """The number of the newest run."""
        self._broken: OSError | None = None

    def take(self, events: list[Event]) -> None:
        for event in events:
            self.session = fold_session(self.session, event)
            self.latest = max(self.latest, event.run)
            self._observe(event)
            if (run := self._runs.add(event)) is not None:
                self.last = run
                self._print(result(run, self.session.versions))
        self._changed.set()
        self._changed = asyncio.Event()

    def _print(self, result: dict[str, Any]) -> None:
        try:
            self._show(result)
        except OSError as error:
            # Raised where it is waited for: here it would only end the reading of the lab's events.
            self._broken = self._broken or error

    def expect(self, settings: RunSettings) -> None:
        """A run is about to be fired."""
        self._calling = {plan.lane for plan in settings.lanes}
        self.ended = self.last = None

    def _observe(self, event: Event) -> None:
        if isinstance(event, RunEnded):
            self.ended = event
        elif isinstance(event, PhaseReached) or _call_ended(event):
            self._calling.discard(event.lane)

    @property
    def armed(self) -> bool:
        """Every call is in its phase, or over."""
        return not self._calling or self.ended is not None

    async def until(self, done: Callable[[], bool], timeout: float | None) -> None:
        """Raises TimeoutError after ``timeout`` seconds; None: never."""
        async with asyncio.timeout(timeout):
            while not done():
                if self._broken is not None:
                    raise self._broken
                await self._changed.wait()


def _call_ended(event: Event) -> bool:
    return isinstance(event, SpanEnded) and event.layer == "caller" and event.name == CALL


class Ran(NamedTuple):
    """What came of one plan: its runs as they ended, why some were aborted, the lab's versions, and why none was fired
    where something is not installed."""

    runs: tuple[RunState, ...]
    aborted: tuple[str, ...]
    versions: Mapping[str, str]
    skipped: str = ""


class Headless:
    """The runs of one scenario, one after the other."""

    def __init__(self, lab: LabProcess, watch: Watch, settings: RunSettings) -> None:
        self._lab, self._watch, self._settings = lab, watch, settings
        self.aborted: list[str] = []
        """Why runs were aborted, one text each."""
        self.ended: list[RunState] = []
        """The runs that started, as they ended."""
        self.fired = False

    async def carry_out(self, runs: int, first: int, *, alone: bool, needs_lab: bool) -> None:
        """All runs. Raises NotReady when nothing comes after them (``alone``), or when none could be fired where there
        must be a lab; otherwise it is noted, and there is a new lab for what comes next."""
        try:
            await self.run(runs, first)
        except NotReady as error:
            if alone or (needs_lab and not self.fired):
                raise
            self.aborted.append(str(error))
            await self._lab.renew()

    async def run(self, runs: int, first: int = 1) -> None:
        """Runs ``first`` and so on, up to one in which the lab hangs. Raises NotReady."""
        for number in range(first, first + runs):
            if not await self.one(number):
                return

    async def one(self, number: int) -> bool:
        """Run ``number`` of the session, counted from 1, when the lab is ready; whether it came to an end. Raises
        NotReady."""
        await self._ready(first=number == 1)
        self.fired = True
        came = await self._fire(number)
        if self._watch.last is not None:
            self.ended.append(self._watch.last)
        return came

    async def _ready(self, *, first: bool) -> None:
        watch, status = self._watch, 2 if first else 1
        try:
            await watch.until(lambda: watch.session.ready or bool(self._failure()), READY_TIMEOUT)
        except TimeoutError:
            text = f"the lab was not ready within {READY_TIMEOUT:g} s: {_missing(watch.session)}"
            raise NotReady(text, status) from None
        if why := self._failure():
            raise NotReady(why, status)

    def _failure(self) -> str:
        failed = [part for part in self._watch.session.parts if part.state == "failed"]
        # A part that failed is the reason; that the lab is not ready for it is the consequence.
        failed.sort(key=lambda part: part.part == LAB)
        return self._lab.given_up or (f"{failed[0].part}: {failed[0].detail}" if failed else "")

    async def _fire(self, number: int) -> bool:
        start = self._settings.to_start(number)
        self._watch.expect(self._settings)
        self._lab.send(start)
        limit = start.limit + _RUN_EXTRA
        try:
            if self._settings.cause == "key":
                await self._watch.until(lambda: self._watch.armed, limit)
                await self._press()
            await self._watch.until(lambda: self._watch.ended is not None, limit)
        except TimeoutError:
            self.aborted.append(f"run {number} did not end within {limit:g} s: the lab hung, and was killed")
            await self._put_down()
            return False
        assert self._watch.ended is not None
        if self._watch.ended.outcome != "settled":
            self.aborted.append(f"run {number}: {self._watch.ended.detail}")
        return True

    async def _put_down(self) -> None:
        """End a lab that hangs. It is started again, and the run is over when its death is seen."""
        await self._lab.renew()
        try:
            await self._watch.until(lambda: self._watch.ended is not None, READY_TIMEOUT)
        except TimeoutError:
            raise NotReady("the lab hangs and does not die", 1) from None

    async def _press(self) -> None:
        await asyncio.sleep(self._settings.hold)
        if self._watch.ended is None:
            self._lab.send(commands.Cancel(cause="key", key_ns=Clock().now().t))


def _missing(session: SessionState) -> str:
    waiting = [f"{part.part} is {part.state}" for part in session.parts if part.state != "ready"]
    return ", ".join(waiting) or "it has said nothing"


def printer(form: str) -> Callable[[dict[str, Any]], None]:
    """Prints a result at once: ``json`` as one line, ``table`` for people."""
    colour = form == "table" and wants_colour(sys.stdout)

    def show(result: dict[str, Any]) -> None:
        text = json.dumps(result, ensure_ascii=False) if form == "json" else table(result, colour=colour) + "\n"
        print(text, flush=True)

    return show


Make = Callable[[Callable[[list[Event]], None]], LabProcess]
"""``make_lab(on_events)`` makes the lab's process."""


async def run_headless(
    make_lab: Make,
    plans: Sequence[RunSettings],
    *,
    runs: int,
    show: Callable[[dict[str, Any]], None],
    ran: Callable[[int, Ran], None] = lambda _number, _ran: None,
    lacks: Callable[[RunSettings], str] = lambda _settings: "",
    record: Path | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Each of ``plans``, ``runs`` times, one after the other on one lab. ``show`` gets the result of every run, ``ran``
    what came of a plan, with its number from 0. ``lacks``: what a plan needs and is not installed; it
    is left out then. A lab that hangs or dies again and again ends its plan, and the next plan has a new one.

    Returns what went wrong, one text each: runs that were aborted, a recording that ended early. Raises NotReady,
    RecordingError, OSError; whatever happens, the lab is gone afterwards.
    """
    watch = Watch(show)
    lab = make_lab(watch.take)
    aborted: list[str] = []
    try:
        if record is not None:
            lab.start_recording(record, overwrite=overwrite)
        await lab.start()
        there = False
        for number, settings in enumerate(plans):
            if why := lacks(settings):
                ran(number, Ran((), (), watch.session.versions, why))
                continue
            headless = Headless(lab, watch, settings)
            # The first one, or the second in turn, that finds no lab is the last: so would all the others.
            await headless.carry_out(runs, number * runs + 1, alone=len(plans) == 1, needs_lab=not there)
            there = headless.fired
            aborted += headless.aborted
            ran(number, Ran(tuple(headless.ended), tuple(headless.aborted), watch.session.versions))
    finally:
        await lab.stop()
    return [*aborted, *([lab.recording_error] if lab.recording_error else [])]
