"""What a painter is given: one frozen picture of everything, and the moment at which it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from app.paint.canvas import Canvas
from app.paint.lens import WIDEST, Lens
from app.paint.units import figure
from app.settings import RunSettings
from probes.state import LaneState, RunState, SessionState

Mode = Literal["live", "replay"]


@dataclass(frozen=True, slots=True)
class Hint:
    """One key for the footer: what to press, what it does, and the action that a click fires."""

    keys: str
    label: str
    action: str
    weight: int


@dataclass(frozen=True, slots=True)
class Playback:
    """Where a replay stands. ``position`` is ns from the recording's start, ``length`` its whole."""

    playing: bool
    speed: str
    position: int
    length: int
    slow: bool = False
    live: bool = False
    """Whether it is a session that still goes on."""
    loop: bool = False
    skipped: int = 0
    """ns that were left out a moment ago, because nothing happened in them."""

    @property
    def words(self) -> str:
        """Slow motion, for a panel's line."""
        loop = ", in a loop" if self.loop else ""
        skipped = f"skipped {figure(self.skipped)} · " if self.skipped else ""
        return f"{skipped}slow motion {self.speed}{loop} {self.glyph}"

    @property
    def glyph(self) -> str:
        return "▸" if self.playing else "‖"


@dataclass(frozen=True, slots=True)
class View:
    """``now``: ns on the clock of the events. ``number``: the run that is shown, also while nothing came of it."""

    mode: Mode
    session: SessionState
    run: RunState
    now: int
    title: str
    settings: RunSettings
    number: int = 0
    selected: int = 0
    recording: str | None = None
    recorded: int = 0
    """Bytes of it so far."""
    alarms: int = 0
    """Bad lines in the log that nobody has looked at."""
    late: int = 0
    """Frames that were not drawn when their turn came."""
    listening: bool = False
    """Whether outside clients make the runs."""
    history: tuple[RunState, ...] = ()
    playback: Playback | None = None
    hints: tuple[Hint, ...] = ()
    lens: Lens = WIDEST
    """How the timeline is looked at."""
    spelt: tuple[tuple[str, str], ...] = ()
    """Keys that are not as they were shipped: (action's name, how its key is written)."""
    reference: RunState | None = None
    """What the run is compared with: the last of its scenario, or where ``pinned`` the one that somebody chose."""
    pinned: bool = False
    flash_ns: int = 400_000_000
    """How long a transition of the machine counts as new."""

    @property
    def lanes(self) -> tuple[LaneState, ...]:
        """The run's lanes; before the first run those that it will have."""
        return self.run.lanes or tuple(LaneState(plan) for plan in self.settings.lanes)

    def key(self, action: str, shipped: str) -> str:
        """How the key of an action is written."""
        return next((key for name, key in self.spelt if name == action), shipped)

    @property
    def lane(self) -> LaneState | None:
        """The selected lane."""
        lanes = self.lanes
        return lanes[self.selected] if self.selected < len(lanes) else None

    @property
    def new_marks_ns(self) -> int:
        """For how long a mark flashes: in slow motion, and where a replay stands; else they come too close together."""
        play = self.playback
        return self.flash_ns if play is not None and (play.slow or not play.playing) else 0

    @property
    def failed(self) -> bool:
        return any(part.state == "failed" for part in self.session.parts)


Painter = Callable[[View, int, int], Canvas]
"""(view, columns, rows) -> the cells of a panel, without its frame."""

Title = Callable[[View, int], tuple[str, str]]
"""(view, rows inside) -> what stands in a panel's top line: left, and right."""
