"""The pages that every main screen can open over itself: evidence, grid, lesson, log, help."""

from __future__ import annotations

from app.coverage import Cell, cover
from app.grid import Grid
from app.lesson import Lesson
from app.library import Library
from app.logpane import Ear
from app.paint.view import View
from app.screens.comparing import Comparing
from app.screens.coverage import CoverageScreen
from app.screens.lesson import LessonScreen
from app.screens.log import LogScreen
from app.screens.pages import EvidenceScreen, HelpScreen, shown_by


class Opening(Comparing):
    """``ear`` knows what of the log nobody has looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.library = Library()
        self.ear = Ear()

    def view(self) -> View:
        """What is looked at now."""
        raise NotImplementedError

    def action_evidence(self) -> None:
        self.app.push_screen(EvidenceScreen(self.view()))

    def action_coverage(self) -> None:
        cells = {(cell.lane, cell.phase, cell.cause): cell for cell in cover(self.library.loaded)}
        lane = self.view().lane
        grid = Grid(cells) if lane is None else Grid(cells).at(lane.plan.protocol, lane.plan.phase, lane.plan.cause)
        live = self.source.mode == "live"
        self.app.push_screen(CoverageScreen(grid, self.source.tally, opens=live), self.open_cell)

    def open_cell(self, cell: Cell | None) -> None:
        """A cell of the grid was chosen, or none."""

    def lesson(self) -> Lesson:
        """What is taught with the scenario that is shown."""
        return self.source.settings.lesson

    def action_notes(self) -> None:
        seen = self.source.run.outcome == "settled"
        if lesson := self.lesson():
            self.app.push_screen(LessonScreen(lesson, answered=seen))
        else:
            self.notify("this scenario asks nothing and has no notes", timeout=3)

    def action_log(self) -> None:
        self.ear.looked()
        self.app.push_screen(LogScreen(lambda: self.source.session.log), lambda _: self.changed())

    def action_help(self) -> None:
        self.app.push_screen(HelpScreen(self.source.mode, shown_by(self)))
