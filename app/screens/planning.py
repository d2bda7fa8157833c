"""What the next run will be, changed by hand: its scenario, its lanes, its timeouts."""

from __future__ import annotations

from collections.abc import Sequence

from textual.notifications import SeverityLevel

from app.coverage import Cell
from app.screens.lanes import LanesScreen
from app.screens.scenarios import ScenariosScreen
from app.screens.scope import ScopeScreen
from app.screens.timeouts import TimeoutsScreen
from app.settings import RunSettings
from app.source import LabHandle, LiveSource

PLANNING = ("scenarios", "lanes", "timeouts")
"""Actions that change the next run, and so wait until none is open."""


class PlanningScreen(ScopeScreen):
    """The main screen with the keys that change the next run."""

    def __init__(self, source: LiveSource, handle: LabHandle, *, ticker: bool = True) -> None:
        super().__init__(source, ticker=ticker)
        self.live, self.handle = source, handle
        self._scenario: RunSettings = source.settings
        """As it was loaded: what the lanes are reset to."""
        self._original: RunSettings = source.settings
        """With the lanes as they were changed: what the timeouts are reset to."""

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        self.notify(text, severity=severity, markup=False, timeout=4)

    # --- its scenario ---------------------------------------------------------------------------------

    def action_scenarios(self) -> None:
        self._choose(())

    def _choose(self, only: Sequence[str]) -> None:
        self.app.push_screen(ScenariosScreen(self.library, self._scenario.scenario, only), self._load)

    def _load(self, key: str | None) -> None:
        if key is not None:
            loaded = self.library.get(key)
            self.handle.tell_scenario(loaded.name, loaded.text)
            self._scenario = loaded.settings
            self.selected = 0
            self._plan(loaded.settings)
        self.changed()

    def _plan(self, settings: RunSettings) -> None:
        self._original = settings
        self.live.plan(settings)

    # --- its lanes ------------------------------------------------------------------------------------

    def action_lanes(self) -> None:
        screen = LanesScreen(self.live.settings, self._scenario, self.selected)
        self.app.push_screen(screen, self._change_lanes)

    def _change_lanes(self, settings: RunSettings | None) -> None:
        if settings is not None and settings.lanes != self.live.settings.lanes:
            self._plan(settings.named_after(self._scenario))
        self.changed()

    def open_cell(self, cell: Cell | None) -> None:
        """The scenarios that have such a lane; where there is none, the lane itself."""
        if cell is None:
            self.changed()
        elif not self.live.idle or self.live.listening:
            self.say("the next run is planned when none is open", "warning")
        elif cell.by:
            self._choose(cell.by)
        else:
            self._build(cell)

    def _build(self, cell: Cell) -> None:
        from app.scenario import one_lane

        built = one_lane(cell.lane, cell.phase, cell.cause)

        def plan(settings: RunSettings | None) -> None:
            if settings is not None:
                self._scenario, self.selected = built, 0
                self._plan(settings.named_after(built))
            self.changed()

        self.app.push_screen(LanesScreen(built, built, 0), plan)

    # --- its timeouts ---------------------------------------------------------------------------------

    def action_timeouts(self) -> None:
        self.app.push_screen(TimeoutsScreen(self.live.settings, self._original), self._set)

    def _set(self, settings: RunSettings | None) -> None:
        if settings is not None:
            self.live.settings = settings
        self.changed()
