"""What every main screen has for looking back: the history of runs, and a run that others are compared with."""

from __future__ import annotations

from dataclasses import replace

from app.paint.view import View
from app.screens.history import HistoryScreen
from app.screens.looking import LookingScreen
from app.source import Source


class Comparing(LookingScreen):
    """``pinned``: the number of the run that others are compared with; 0: each with the last of its scenario."""

    source: Source
    pinned = 0

    def open_run(self, number: int) -> None:
        """Show this run, from its end."""
        raise NotImplementedError

    def compared(self, view: View) -> View:
        """The same with the run that the one that is shown is compared with, if there is one."""
        run = view.run
        if run.started is None:
            return view
        if self.pinned and self.pinned != view.number:
            pinned = self.source.past(self.pinned)
            return replace(view, reference=pinned if pinned.started is not None else None, pinned=True)
        earlier = (each for each in reversed(view.history) if each.run < run.run)
        return replace(view, reference=next((each for each in earlier if each.scenario == run.scenario), None))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "pin":
            return self.source.run.ended is not None or None
        return super().check_action(action, parameters)

    def action_pin(self) -> None:
        self._pin(0 if self.pinned == self.source.number else self.source.number)
        self.notify(
            f"run {self.pinned} is pinned: others are compared with it" if self.pinned else "no run is pinned",
            markup=False,
            timeout=3,
        )

    def _pin(self, number: int) -> None:
        self.pinned = number
        self.changed()

    def action_history(self) -> None:
        source = self.source
        opens = source.mode == "replay" or not source.run.open
        screen = HistoryScreen(source.annals, source.number, self.selected, self.pinned, self._pin, opens=opens)
        self.app.push_screen(screen, self._opened)

    def _opened(self, number: int | None) -> None:
        if number is not None:
            self.open_run(number)
        self.changed()
