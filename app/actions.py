"""The one table of what people can do. Bindings, footer, help and command palette are made from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from textual.binding import Binding, BindingType

from app.paint.canvas import Role
from app.paint.pages import LEGEND, Line
from app.paint.view import Hint, Mode

LIVE: tuple[Mode, ...] = ("live",)
REPLAY: tuple[Mode, ...] = ("replay",)
BOTH: tuple[Mode, ...] = ("live", "replay")


@dataclass(frozen=True, slots=True)
class Action:
    """``name`` is the screen's ``action_<name>``; ``keys`` Textual's names of keys; ``weight`` how long it stays in
    a footer that gets narrow (0: only in the help)."""

    name: str
    keys: str
    shown: str
    label: str
    help: str
    group: str
    weight: int
    modes: tuple[Mode, ...] = BOTH

    def binding(self) -> Binding:
        # A cancel is taken straight from the app's queue: no widget, and no drawing, stands before it.
        at_once = self.name.startswith("cancel")
        return Binding(
            self.keys,
            self.name,
            self.label,
            key_display=self.shown,
            id=self.name,
            tooltip=self.help,
            priority=at_once,
        )


ACTIONS: tuple[Action, ...] = (
    Action("start", "enter", "enter", "start", "Fire the scenario: every lane begins its call", "run", 100, LIVE),
    Action("cancel_all", "c", "c", "cancel all", "Cancel every lane of the run at the same instant", "run", 99, LIVE),
    *(
        Action(
            f"cancel_lane({number})",
            str(number),
            "1-9",
            "cancel lane",
            "Cancel the lane of that number alone",
            "run",
            80 if number == 1 else 0,
            LIVE,
        )
        for number in range(1, 10)
    ),
    Action("timeouts", "t", "t", "timeouts", "Set the timeouts of the next run", "run", 78, LIVE),
    Action("play", "space", "space", "play", "Play, or pause", "replay", 100, REPLAY),
    Action("moment(-1)", "left_square_bracket", "[", "previous", "Go to the previous moment", "replay", 90, REPLAY),
    Action("moment(1)", "right_square_bracket", "]", "next", "Go to the next moment", "replay", 91, REPLAY),
    Action("speed(-1)", "comma", ",", "slower", "Slower, down to 1/1000", "replay", 84, REPLAY),
    Action("speed(1)", "full_stop", ".", "faster", "Faster, up to 10 times", "replay", 85, REPLAY),
    Action("edge(0)", "home", "home", "start", "Go to the start of the recording", "replay", 40, REPLAY),
    Action("edge(1)", "end", "end", "end", "Go to the end of the recording", "replay", 39, REPLAY),
    Action("select(-1)", "up,shift+tab", "up down", "lane", "Select the lane above or below", "look", 0),
    Action("select(1)", "down,tab", "up down", "lane", "Select the lane above or below", "look", 50),
    Action("evidence", "e", "e", "evidence", "Every mark of the selected lane with all its evidence", "look", 60),
    Action("side", "m", "m", "panels", "Show or hide the timeouts and the machine", "look", 45),
    Action("addresses", "a", "a", "addresses", "Addresses and commands for outside clients", "look", 88, LIVE),
    Action("record", "r", "r", "record", "Start or stop a recording", "session", 70, LIVE),
    Action("replay", "R,shift+r", "R", "replay", "Replay what happened so far", "session", 65, LIVE),
    Action("log", "l", "l", "log", "What the lab's processes said, and notes", "session", 42),
    Action("help", "question_mark", "?", "help", "All keys, all marks", "session", 95),
    Action("leave", "q", "q", "quit", "Quit; asks while a run is open", "session", 94, LIVE),
    Action("leave", "q,escape", "q", "back", "Leave the replay", "session", 94, REPLAY),
)

GROUPS = {"run": "a run", "replay": "a replay", "look": "looking", "session": "the session"}


def actions(mode: Mode) -> Iterator[Action]:
    return (action for action in ACTIONS if mode in action.modes)


def bindings(mode: Mode) -> list[BindingType]:
    return [action.binding() for action in actions(mode)]


def hint(action: Action, label: str = "") -> Hint:
    return Hint(action.shown, label or action.label, action.name, action.weight)


def help_lines(mode: Mode) -> list[Line]:
    """The whole help: keys by group, then the legend."""
    lines: list[Line] = []
    for group, heading in GROUPS.items():
        found = {action.shown: action for action in actions(mode) if action.group == group}
        if found:
            lines += [[(heading, Role.TITLE)]]
            lines += [[(f"  {shown:<9}", Role.KEY), (action.help, Role.TEXT)] for shown, action in found.items()]
    lines += [[("  esc      ", Role.KEY), ("Closes a dialog; it never cancels anything", Role.TEXT)]]
    return [*lines, [], [("marks", Role.TITLE)], *([("  ", Role.TEXT), *line] for line in LEGEND)]
