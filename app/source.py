"""What feeds a screen: a session that goes on, or a recording at a position. Painting sees no difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from app import commands
from app.annals import Annals
from app.paint.view import Playback, View
from app.settings import RunSettings
from app.tally import Tally
from probes.events import Event
from probes.replay import Player
from probes.runlog import SessionLog
from probes.state import RunState, SessionState

HISTORY = 50
"""How many runs a median is taken over, at most: it is taken again for every frame."""

_DECODED_AT_ONCE = 5
"""Runs of a recording that are counted in one frame."""

FLASH_NS = 400_000_000
"""How long a transition of the machine flashes, in wall time."""


SKIP_NS = 2_500_000_000
"""How long it is said that something was skipped, in wall time."""


class LabHandle(Protocol):
    """The console's only way to the lab. Events come back by a callback that the factory is given."""

    recording_error: str

    @property
    def recording(self) -> Path | None: ...

    def send(self, command: commands.AnyCommand) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def start_recording(self, path: Path | None, *, overwrite: bool = False) -> Path: ...

    def stop_recording(self) -> None: ...

    def tell_scenario(self, name: str, text: str) -> None:
        """The runs that follow are those of the scenario ``name``, whose file has this text: for the recording."""


HandleFactory = Callable[[Callable[[list[Event]], None]], LabHandle]
"""``factory(on_events)``: ``on_events`` is called in the app's loop with what arrived together."""


class Source(Protocol):
    """``now``: ns on the clock of the events. ``run``: the one that is shown. ``history``: the last that settled."""

    @property
    def mode(self) -> Literal["live", "replay"]: ...

    @property
    def session(self) -> SessionState: ...

    @property
    def run(self) -> RunState: ...

    @property
    def number(self) -> int: ...

    @property
    def now(self) -> int: ...

    @property
    def title(self) -> str: ...

    @property
    def recording(self) -> str | None: ...

    @property
    def recorded(self) -> int: ...

    @property
    def listening(self) -> bool: ...

    @property
    def settings(self) -> RunSettings: ...

    @property
    def history(self) -> Sequence[RunState]: ...

    @property
    def playback(self) -> Playback | None: ...

    @property
    def flash_ns(self) -> int: ...

    @property
    def tally(self) -> Tally: ...

    @property
    def annals(self) -> Annals: ...

    def past(self, number: int) -> RunState:
        """How a run that is over ended; an empty one for a number that is not there."""


def view_of(source: Source, selected: int) -> View:
    """The picture of this moment. A run that has ended is looked at as it stood at its end."""
    run = source.run
    return View(
        mode=source.mode,
        session=source.session,
        run=run,
        now=source.now if run.ended is None else run.ended,
        title=source.title,
        settings=source.settings,
        number=source.number,
        selected=max(0, min(selected, len(run.lanes or source.settings.lanes) - 1)),
        recording=source.recording,
        recorded=source.recorded,
        listening=source.listening,
        history=tuple(source.history),
        playback=source.playback,
        flash_ns=source.flash_ns,
    )


class LiveSource:
    """A session as it happens. ``clock`` gives ns, CLOCK_MONOTONIC like the events."""

    mode: Literal["live"] = "live"
    playback: Playback | None = None
    flash_ns = FLASH_NS

    def __init__(self, settings: RunSettings, clock: Callable[[], int]) -> None:
        self.settings = settings
        """What the next run will do."""
        self._planned_after: int | None = None
        self.log = SessionLog()
        self.tally = Tally(lambda: self.log.runs, self.log.run)
        self.annals = Annals(lambda: self.log.runs, self.log.run)
        self.recording: str | None = None
        self.recordings: list[str] = []
        """All that were made in this session."""
        self.recorded = 0
        """Bytes of it that are on the disk."""
        self._clock = clock
        self._asked = 0
        self.listening = False
        """Whether outside clients make the runs: then nothing is fired or cancelled from here."""

    def feed(self, events: Iterable[Event]) -> None:
        for event in events:
            self.log.add(event)

    def next_run(self) -> int:
        """The number for a run that is about to be asked for."""
        self._asked = max(self._asked, self.log.latest) + 1
        return self._asked

    def plan(self, settings: RunSettings) -> None:
        """The next run is of another kind than the last: until it is there, what it will be is shown."""
        self.settings = settings
        self._planned_after = self.log.latest

    @property
    def coming(self) -> bool:
        """Whether what is shown is the next run, and no run that was."""
        return self._planned_after == self.log.latest and not self.latest.open

    @property
    def idle(self) -> bool:
        """No run is open and none was asked for without an answer."""
        return self._asked <= self.log.latest and not self.latest.open

    @property
    def latest(self) -> RunState:
        """The newest run."""
        return self.log.run(self.log.latest)

    @property
    def number(self) -> int:
        return 0 if self.coming else self.log.latest

    @property
    def session(self) -> SessionState:
        return self.log.session

    @property
    def run(self) -> RunState:
        return RunState() if self.coming else self.latest

    @property
    def now(self) -> int:
        return self._clock() if self.run.open else 0

    @property
    def title(self) -> str:
        return self.settings.title

    def past(self, number: int) -> RunState:
        return self.log.run(number)

    @property
    def history(self) -> Sequence[RunState]:
        return _settled(map(self.log.run, _last(self.log.runs)))


class ReplaySource:
    """A player as a source. ``live``: it plays what a session that goes on has recorded."""

    mode: Literal["replay"] = "replay"

    def __init__(self, player: Player, path: Path | None = None, *, live: bool = False) -> None:
        self.player, self.live = player, live
        self.tally = Tally(lambda: self.player.log.runs, self.player.log.past, at_once=_DECODED_AT_ONCE)
        self.annals = Annals(lambda: self.player.runs, self.past, at_once=_DECODED_AT_ONCE)
        self.recording = None if path is None else str(path)
        self.recorded, self.listening = 0, False

    def past(self, number: int) -> RunState:
        return self.player.log.outline(number) if number in self.player.runs else RunState()

    @property
    def number(self) -> int:
        return self.player.run

    @property
    def session(self) -> SessionState:
        return self.player.log.session

    @property
    def run(self) -> RunState:
        return self.player.log.run(self.player.run)

    @property
    def now(self) -> int:
        return self.player.position

    @property
    def title(self) -> str:
        return self.run.title or Path(self.recording or "this session").name

    @property
    def settings(self) -> RunSettings:
        """What the run at the position was fired with."""
        run = self.run
        plans = tuple(lane.plan for lane in run.lanes)
        return RunSettings(run.scenario, self.title, plans, run.deadline, run.settle)

    @property
    def history(self) -> Sequence[RunState]:
        log = self.player.log
        return _settled(map(log.past, _last(log.runs)))

    @property
    def flash_ns(self) -> int:
        """Where it stands still: what comes at this very instant."""
        return int(FLASH_NS * self.player.speed) if self.player.playing else 1

    @property
    def playback(self) -> Playback:
        player = self.player
        return Playback(
            player.playing,
            f"{player.speed}×" if player.speed >= 1 else str(player.speed),
            player.position - player.start,
            player.end - player.start,
            slow=player.speed < 1,
            live=self.live,
            loop=player.part is not None and player.part.loop,
            skipped=self._skipped,
        )

    @property
    def _skipped(self) -> int:
        """What was left out a moment ago, ns; 0 where nothing was."""
        skip, at = self.player.skip, self.player.position
        seen = skip is not None and skip[1] <= at < skip[1] + SKIP_NS * self.player.speed
        return skip[1] - skip[0] if skip is not None and seen else 0


def _last(runs: Iterable[int]) -> list[int]:
    return [*runs][-HISTORY:]


def _settled(runs: Iterable[RunState]) -> Sequence[RunState]:
    return [run for run in runs if run.outcome == "settled"]
