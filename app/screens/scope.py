"""The screen with the timeline, and what live and replay have in common."""

from __future__ import annotations

import time
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer

from app.actions import Action, actions, hint
from app.frames import FrameCount
from app.paint import evidence, guests, machine, scoreboard, stage, timeouts
from app.paint.status import paint_small, paint_status
from app.paint.view import View
from app.screens.arranging import WIDE, arrange
from app.screens.coverage import CoverageScreen
from app.screens.history import HistoryScreen
from app.screens.log import LogScreen
from app.screens.opening import Opening
from app.screens.pages import shown_by
from app.source import Source, view_of
from app.widgets.panel import KeyLine, Panel
from app.widgets.trace import Trace

FRAME_S = 1 / 30


class ScopeScreen(Opening):
    """Draws what its source gives, at most 30 times a second and only when something changed."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-medium"), (118, "-wide"), (160, "-huge")]  # noqa: RUF012
    AUTO_FOCUS = None

    def __init__(self, source: Source, *, ticker: bool = True) -> None:
        super().__init__()
        self.source = source
        self.frames = FrameCount(round(FRAME_S * 1e9), time.monotonic_ns)
        self._ticker = ticker
        self._timer: Timer | None = None
        self._dirty = True
        self._side: bool | None = None
        """Whether somebody asked for the panels at the side; None: as the width has it."""
        self.staged = False
        """Whether the machine has the whole screen."""

    def compose(self) -> ComposeResult:
        yield Panel(paint_small, id="small")
        yield Panel(paint_status, id="status")
        with Horizontal():
            with Vertical(id="side"):
                yield Panel(timeouts.paint_timeouts, timeouts.title, id="timeouts")
                yield Panel(guests.paint_addresses, guests.title, id="guests")
                yield Panel(machine.paint_machine, machine.title, id="machine")
            with Vertical(id="main"):
                yield Trace(id="timeline")
                yield Panel(stage.paint_stage, stage.title, id="stage")
                yield Panel(scoreboard.paint_scoreboard, scoreboard.title, id="scoreboard")
                yield Panel(evidence.paint_evidence, evidence.title, id="evidence")
        yield KeyLine()

    def on_mount(self) -> None:
        if self._ticker:
            self._timer = self.set_interval(FRAME_S, self.tick)

    def on_resize(self) -> None:
        self._dirty = True
        self.call_after_refresh(self.draw)

    def on_screen_resume(self) -> None:
        self.changed()

    # --- drawing --------------------------------------------------------------------------------------

    @property
    def moving(self) -> bool:
        """Whether the picture changes with time alone."""
        return self.source.run.open

    def changed(self) -> None:
        """There is something new to draw, at the next frame."""
        self._dirty = True
        if self._timer is not None:
            self._timer.resume()

    def tick(self) -> None:
        """One frame, if there is anything to it and it can be seen; else the ticker sleeps."""
        top = self.app.screen
        covered = top is not self and isinstance(top, ScopeScreen)
        if isinstance(top, CoverageScreen | HistoryScreen) and top.follow():
            self._dirty = True
        if isinstance(top, LogScreen):
            top.follow()
            self.ear.looked()
        if (self._dirty or self.moving) and not covered:
            self.frames.drawn()
            self.draw()
        elif self._timer is not None:
            self.frames.rest()
            self._timer.pause()

    def draw(self) -> None:
        """Draw what is now."""
        if not self.is_mounted or not self.size:
            return
        self._dirty = False
        view = self.view()
        chrome = arrange(self, view, side=self._side, staged=self.staged)
        for panel in self.query(Panel):
            if panel.display:
                panel.show(view, chrome if panel.parent is not self else "bare")

    def view(self) -> View:
        view = self.looked_at()
        shown = shown_by(self)
        spelt = tuple((each.name, shown(each)) for each in actions(view.mode) if shown(each) != each.shown)
        hints = (hint(action, self.label(action.name), shown) for action in actions(view.mode) if self._offered(action))
        alarms = self.ear.listen(view.session.log) if view.mode == "live" else 0
        return self.compared(replace(view, hints=tuple(hints), spelt=spelt, alarms=alarms, late=self.frames.skipped))

    def looked_at(self) -> View:
        return replace(view_of(self.source, self.selected), lens=self.lens)

    def _offered(self, action: Action) -> bool:
        return bool(action.weight and self.check_action(action.name.partition("(")[0], ()))

    # --- what both do ---------------------------------------------------------------------------------

    def label(self, name: str) -> str:
        """The footer's word for an action, where it depends on the state."""
        return "timeline" if name == "machine" and self.staged else ""

    def action_select(self, direction: int) -> None:
        lanes = len(self.source.run.lanes)
        if lanes:
            self.selected = (min(self.selected, lanes - 1) + direction) % lanes
            self.ask_on()
        self.changed()

    def action_side(self) -> None:
        shown = self.query_one("#side").display
        self._side = not shown
        self.changed()

    def action_machine(self) -> None:
        """The machine on the whole screen, or the timeline again."""
        self.staged = not self.staged
        self.changed()

    def action_back(self) -> None:
        """To the timeline."""
        if self.staged:
            self.action_machine()

    def look_as(self, other: ScopeScreen) -> None:
        """Show what another screen shows of its own session."""
        self.selected, self.staged, self.lens = other.selected, other.staged, other.lens
