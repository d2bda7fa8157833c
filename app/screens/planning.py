"""What the next run will be, changed by hand: its scenario, its timeouts."""

from __future__ import annotations

from textual.notifications import SeverityLevel

from app.library import Library
from app.screens.scenarios import ScenariosScreen
from app.screens.scope import ScopeScreen
from app.screens.timeouts import TimeoutsScreen
from app.settings import RunSettings
from app.source import LabHandle, LiveSource

PLANNING = ("scenarios", "timeouts")
"""Actions that change the next run, and so wait until none is open."""


class PlanningScreen(ScopeScreen):
    """``library``: what the chooser has."""

    def __init__(self, source: LiveSource, handle: LabHandle, *, ticker: bool = True) -> None:
        super().__init__(source, ticker=ticker)
        self.live, self.handle, self.library = source, handle, Library()
        self._original: RunSettings = source.settings

    def say(self, text: str, severity: SeverityLevel = "information") -> None:
        self.notify(text, severity=severity, markup=False, timeout=4)

    # --- its scenario ---------------------------------------------------------------------------------

    def action_scenarios(self) -> None:
        self.app.push_screen(ScenariosScreen(self.library, self.live.settings.scenario), self._load)

    def _load(self, key: str | None) -> None:
        if key is not None:
            loaded = self.library.get(key)
            self.handle.tell_scenario(loaded.name, loaded.text)
            self._original = loaded.settings
            self.live.plan(loaded.settings)
            self.selected = 0
        self.changed()

    # --- its timeouts ---------------------------------------------------------------------------------

    def action_timeouts(self) -> None:
        self.app.push_screen(TimeoutsScreen(self.live.settings, self._original), self._set)

    def _set(self, settings: RunSettings | None) -> None:
        if settings is not None:
            self.live.settings = settings
        self.changed()
