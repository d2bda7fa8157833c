"""The screen over a recording, or over what this session recorded so far; and over the last run in slow motion."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from app.actions import bindings
from app.lesson import Lesson
from app.paint import lens as lenses
from app.screens.scope import ScopeScreen
from app.settings import CHANGED
from app.source import LiveSource, ReplaySource
from probes.moments import spots
from probes.part import SLOW, Gap, Part, loop_part, slow_part, trigger
from probes.replay import Player
from probes.state import RunState


class ReplayScreen(ScopeScreen):
    """Moves the player by wall time, which ``clock`` (ns) gives."""

    BINDINGS = bindings("replay")

    def __init__(self, source: ReplaySource, *, clock: Callable[[], int], ticker: bool = True) -> None:
        super().__init__(source, ticker=ticker)
        self.replay = source
        self._clock = clock
        self._then = clock()
        self._before: Fraction | None = None
        """The speed at which slow motion began; None while there is none."""

    @property
    def player(self) -> Player:
        return self.replay.player

    @property
    def moving(self) -> bool:
        return self.player.playing

    def tick(self) -> None:
        now = self._clock()
        if self.player.playing:
            self.player.advance(now - self._then)
            self._dirty = True
        self._then = now
        super().tick()

    def label(self, name: str) -> str:
        match name:
            case "play":
                return "pause" if self.player.playing else ""
            case "slow":
                return "" if self._before is None else "normal speed"
            case "loop":
                return "no loop" if self._looping else ""
        return super().label(name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "again":
            return False
        if action in ("slow", "loop"):
            return trigger(self.shown_run) is not None or None
        return super().check_action(action, parameters)

    def lesson(self) -> Lesson:
        from app.scenario import taught

        return taught(self.player.header, self.shown_run.scenario.removesuffix(CHANGED))

    # --- moving ---------------------------------------------------------------------------------------

    def action_play(self) -> None:
        self._then = self._clock()
        self.player.toggle()
        self.changed()

    def action_moment(self, direction: int) -> None:
        self.player.step(direction)
        run = self.source.run
        self.put_cursor(lenses.at_time(self.lens, run, spots(run), self.player.position))
        self.changed()

    def action_speed(self, direction: int) -> None:
        if direction > 0:
            self.player.faster()
        else:
            self.player.slower()
        self.changed()

    def action_edge(self, last: int) -> None:
        self.player.edge(bool(last))
        self.changed()

    # --- slow motion ----------------------------------------------------------------------------------

    def open_run(self, number: int) -> None:
        ended = self.source.past(number).ended
        self.player.seek(self.player.run_start(number) if ended is None else ended)
        self.changed()

    @property
    def shown_run(self) -> RunState:
        """The run at the position, or else the first one, as it was at its end."""
        number = self.player.run or next(iter(self.player.runs), 0)
        return self.player.log.outline(number) if number else RunState()

    @property
    def _slow(self) -> Part | None:
        return slow_part(self.shown_run, self.player.end)

    @property
    def _looping(self) -> bool:
        return self.player.part is not None and self.player.part.loop

    def action_slow(self) -> None:
        """From just before the trigger, at 1/100; again: the speed that was before, from where it stands."""
        if self._before is None:
            self.begin_slowly()
        else:
            self.player.set_speed(self._before)
            self.player.part, self._before = None, None
        self.changed()

    def begin_slowly(self) -> None:
        if (part := self._slow) is not None:
            self._before = self.player.speed
            self.player.set_speed(SLOW)
            self._play(part)

    def action_loop(self) -> None:
        """Over and over; again: on from where it stands."""
        if self._looping:
            self.player.part = None if self._before is None else self._slow
        elif (part := loop_part(self.shown_run, self._marked())) is not None:
            self._play(part)
        self.changed()

    def _marked(self) -> Gap | None:
        """From one cursor to the other, where both are in the run that is shown."""
        run, section = self.shown_run, self.section()
        if section is None or run.started is None:
            return None
        return section if run.started <= section[0] and section[1] <= (run.ended or self.player.end) else None

    def _play(self, part: Part) -> None:
        self._then = self._clock()
        self.player.play(part)

    def action_leave(self) -> None:
        if self.staged and not self.replay.live:
            self.action_machine()
        elif len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()


class SlowScreen(ReplayScreen):
    """The last run of a session that goes on, in slow motion: a replay of what there is of it. The session goes on
    behind it, and a new run ends it."""

    def __init__(self, live: LiveSource, *, clock: Callable[[], int], ticker: bool = True) -> None:
        self._live, self._number = live, live.log.latest
        super().__init__(ReplaySource(self._so_far(), live=True), clock=clock, ticker=ticker)
        self._open = live.latest.open
        """Whether there was more to come of the run when its events were taken."""
        self._over = False
        self.again = False
        """Whether it was left for the next run."""

    def on_mount(self) -> None:
        # Textual calls the bases' handlers as well.
        self.player.seek(self.player.end)
        self.begin_slowly()
        self.follow()

    def _so_far(self) -> Player:
        return Player(self._live.log.archive())

    def label(self, name: str) -> str:
        return "live" if name in ("slow", "leave") else super().label(name)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "again":
            return (self._live.idle and not self._live.listening) or None
        return super().check_action(action, parameters)

    def action_slow(self) -> None:
        self.dismiss()

    def action_again(self) -> None:
        self.again = True
        self.dismiss()

    def on_screen_resume(self) -> None:
        self.follow()

    def follow(self) -> None:
        """What has happened behind it: more of this run, or another one."""
        self.replay.recording = self._live.recording
        if self._live.log.latest != self._number:
            if self.app.screen is self and not self._over:
                self._over = True
                self.notify(f"run {self._live.log.latest} has begun: live again", timeout=4)
                self.dismiss()
        elif self._open and not self._live.latest.open:
            self._open = False
            self._take_rest()

    def _take_rest(self) -> None:
        """The run is over: play on with all of it."""
        old, new = self.player, self._so_far()
        self.replay.player = new
        new.seek(old.position)
        new.set_speed(old.speed)
        new.part = old.part if self._looping else self._slow
        new.playing = old.playing or old.position == old.end
        self.changed()
