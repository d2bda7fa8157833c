"""The screen over a recording, or over what this session recorded so far."""

from __future__ import annotations

from collections.abc import Callable

from app.actions import bindings
from app.screens.scope import ScopeScreen
from app.source import ReplaySource


class ReplayScreen(ScopeScreen):
    """Moves the player by wall time, which ``clock`` (ns) gives."""

    BINDINGS = bindings("replay")

    def __init__(self, source: ReplaySource, *, clock: Callable[[], int], ticker: bool = True) -> None:
        super().__init__(source, ticker=ticker)
        self._player = source.player
        self._clock = clock
        self._then = clock()

    @property
    def moving(self) -> bool:
        return self._player.playing

    def tick(self) -> None:
        now = self._clock()
        if self._player.playing:
            self._player.advance(now - self._then)
            self._dirty = True
        self._then = now
        super().tick()

    def label(self, name: str) -> str:
        return "pause" if name == "play" and self._player.playing else ""

    def action_play(self) -> None:
        self._then = self._clock()
        self._player.toggle()
        self.changed()

    def action_moment(self, direction: int) -> None:
        self._player.step(direction)
        self.changed()

    def action_speed(self, direction: int) -> None:
        if direction > 0:
            self._player.faster()
        else:
            self._player.slower()
        self.changed()

    def action_edge(self, last: int) -> None:
        self._player.seek(self._player.end if last else self._player.start)
        self.changed()

    def action_leave(self) -> None:
        if len(self.app.screen_stack) > 2:
            self.dismiss()
        else:
            self.app.exit()
