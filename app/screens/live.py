"""The screen over a lab that runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from app import commands
from app.actions import bindings
from app.paint.guests import recipe_lines
from app.screens.confirm import ConfirmScreen
from app.screens.faults import FaultsScreen
from app.screens.pages import PageScreen
from app.screens.planning import PLANNING, PlanningScreen
from app.screens.replay import ReplayScreen, SlowScreen
from app.source import LabHandle, LiveSource, ReplaySource
from probes.part import trigger
from probes.record import RecordingError
from probes.replay import Player

QUIET_NS = 40_000_000
"""After a cancel nothing is drawn for so long: most answers come within it, and drawing takes a core from the lab."""


def _size(path: Path) -> int:
    """Bytes; 0 while nothing is on the disk."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


class LiveScreen(PlanningScreen):
    """``key_ns`` gives the time at which the key went down that is being handled."""

    BINDINGS = bindings("live")

    def __init__(
        self,
        source: LiveSource,
        handle: LabHandle,
        *,
        clock: Callable[[], int],
        key_ns: Callable[[], int],
        ticker: bool = True,
    ) -> None:
        super().__init__(source, handle, ticker=ticker)
        self._clock, self._key_ns = clock, key_ns
        self._quiet_until = 0
        self._slow: SlowScreen | None = None

    def tick(self) -> None:
        if self._slow is not None:
            self._slow.follow()
        if self._clock() >= self._quiet_until:
            super().tick()
        else:
            self.frames.rest()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if self.live.listening and action in (*PLANNING, "start", "cancel_all", "cancel_lane"):
            return False
        if action in PLANNING:
            return self.live.idle or None
        match action:
            case "addresses":
                return self.live.listening
            case "start":
                return (self.live.session.ready and self.live.idle) or None
            case "cancel_all":
                return self.live.run.open or None
            case "cancel_lane":
                number = parameters[0] if parameters else 1
                there = isinstance(number, int) and number <= max(1, len(self.live.settings.lanes))
                return there and (self.live.run.open or None)
            case "faults":
                return self.live.run.open or None
            case "slow":
                return self._told or None
            case "replay":
                return (self.live.idle and self.live.log.latest > 0) or None
        return super().check_action(action, parameters)

    def label(self, name: str) -> str:
        if name == "record" and self.source.recording:
            return "stop recording"
        return super().label(name)

    # --- a run ----------------------------------------------------------------------------------------

    def action_start(self) -> None:
        self.handle.send(self.live.settings.to_start(self.live.next_run()))
        self.changed()

    def action_cancel_all(self) -> None:
        self._cancel("")

    def action_cancel_lane(self, number: int) -> None:
        lanes = self.live.run.lanes
        if number <= len(lanes):
            self._cancel(lanes[number - 1].name)

    def _keep_still(self) -> None:
        """No new frame for a while, and none that was painted already and waits to be composed."""
        self._quiet_until = self._clock() + QUIET_NS
        still = ExitStack()
        still.enter_context(self.app.batch_update())
        self.set_timer(QUIET_NS / 1e9, still.close)

    def _cancel(self, lane: str) -> None:
        # The command leaves before anything else happens, and then the screen keeps still for a while, so that
        # drawing does not disturb what is being measured.
        self.handle.send(commands.Cancel(lane=lane, cause="key", key_ns=self._key_ns()))
        self._keep_still()
        self.changed()

    def action_faults(self) -> None:
        lane = self.view().lane
        if lane is not None:
            self.app.push_screen(FaultsScreen(lane, self.selected), self._disturb)

    def _disturb(self, command: commands.Fault | commands.Clear | None) -> None:
        if command is not None:
            self.handle.send(command)
        self.changed()

    def action_addresses(self) -> None:
        self.app.push_screen(PageScreen(recipe_lines(self.live.session.guests), "for outside clients"))

    # --- the session ----------------------------------------------------------------------------------

    def action_record(self) -> None:
        try:
            if self.handle.recording is not None:
                self.say(f"recorded in {self.handle.recording.name}")
                self.handle.stop_recording()
            else:
                self.say(f"recording in {self.handle.start_recording(None).name}")
        except (RecordingError, OSError) as error:
            self.say(str(error), "error")
        self.follow_recording()

    def follow_recording(self) -> None:
        """What the handle says of the recording is what is shown: it may end by itself, when a disk is full."""
        path = self.handle.recording
        if path is None and self.live.recording and self.handle.recording_error:
            self.say(self.handle.recording_error, "error")
        self.live.recording = None if path is None else str(path)
        if self.live.recording is not None and self.live.recording not in self.live.recordings:
            self.live.recordings.append(self.live.recording)
        self.live.recorded = 0 if path is None else _size(path)
        self.changed()

    def action_replay(self) -> None:
        """The session so far, standing at the newest run's first trigger."""
        zeros = [lane.zero.t for lane in self.live.latest.lanes if lane.zero is not None]
        self._replay(min(zeros, default=None))

    def open_run(self, number: int) -> None:
        self._replay(self.live.past(number).ended, number)

    def _replay(self, t: int | None, number: int = 0) -> None:
        """From ``t`` on; where there is none, from the run's start: of the newest where no ``number`` is given."""
        player = Player(self.live.log.archive())
        player.seek(player.run_start(number or self.live.log.latest) if t is None else t)
        source = ReplaySource(player, self.handle.recording)
        screen = ReplayScreen(source, clock=self._clock, ticker=self._ticker)
        screen.selected, screen.lens, screen.pinned = self.selected, self.lens, self.pinned
        self.app.push_screen(screen, lambda _: self.changed())

    @property
    def _told(self) -> bool:
        """Whether the last run has had its trigger, and nobody waits for a cancel any more."""
        run = self.live.latest
        waits = run.open and any(lane.zero is None and lane.layer("caller").ended is None for lane in run.lanes)
        return trigger(run) is not None and not waits

    def action_slow(self) -> None:
        """The last run again, on this screen as it looks now."""
        screen = self._slow = SlowScreen(self.live, clock=self._clock, ticker=self._ticker)
        screen.look_as(self)
        self.app.push_screen(screen, self._live_again)

    def _live_again(self, _: None) -> None:
        slow, self._slow = self._slow, None
        if slow is not None:
            self.look_as(slow)
            if slow.again and self.check_action("start", ()):
                self.action_start()
        self.changed()

    def action_leave(self) -> None:
        if not self.live.run.open:
            self.app.exit()
            return
        question = ConfirmScreen(f"Run {self.live.number} is still open. Quit?", "quit, the run is lost", "go on")
        self.app.push_screen(question, lambda sure: self.app.exit() if sure else None)
