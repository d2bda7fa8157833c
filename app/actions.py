"""The one table of what people can do. Bindings, footer, help and command palette are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding, BindingType

from app.paint.canvas import Role
from app.paint.pages import LEGEND, Line
from app.paint.view import Hint, Mode

Place = Literal["live", "replay", "anywhere", "log", "lesson", "scenarios", "lanes", "faults", "coverage", "history"]
"""Where an action can be done: on a main screen, or in a dialog."""

LIVE: tuple[Place, ...] = ("live",)
REPLAY: tuple[Place, ...] = ("replay",)
BOTH: tuple[Place, ...] = ("live", "replay")
ANYWHERE: tuple[Place, ...] = ("anywhere",)
LOG: tuple[Place, ...] = ("log",)
LESSON: tuple[Place, ...] = ("lesson",)
SCENARIOS: tuple[Place, ...] = ("scenarios",)
LANES: tuple[Place, ...] = ("lanes",)
FAULTS: tuple[Place, ...] = ("faults",)
COVERAGE: tuple[Place, ...] = ("coverage",)
HISTORY: tuple[Place, ...] = ("history",)


@dataclass(frozen=True, slots=True)
class Action:
    """``name`` is the screen's ``action_<name>``, with ``app.`` in front the app's; ``keys`` Textual's names of keys;
    ``weight`` how long it stays in a footer that gets narrow (0: only in the help)."""

    name: str
    keys: str
    shown: str
    label: str
    help: str
    group: str
    weight: int
    places: tuple[Place, ...] = BOTH

    @property
    def section(self) -> str:
        """Where it stands in a file of keys."""
        return self.places[0] if len(self.places) == 1 else "main"

    @property
    def id(self) -> str:
        return f"{self.section}.{self.name}"

    def binding(self) -> Binding:
        # A cancel is taken straight from the app's queue: no widget, and no drawing, stands before it.
        at_once = self.name.startswith("cancel")
        return Binding(
            self.keys,
            self.name,
            self.label,
            key_display=self.shown,
            id=self.id,
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
    Action("faults", "f", "f", "faults", "Disturb the selected lane's connections, or let them be", "run", 79, LIVE),
    Action("scenarios", "s", "s", "scenarios", "Choose the scenario of the next run", "next", 79, LIVE),
    Action("lanes", "x", "x", "lanes", "Change the lanes of the next run, add and remove some", "next", 77, LIVE),
    Action("timeouts", "t", "t", "timeouts", "Set the timeouts of the next run", "next", 78, LIVE),
    Action("play", "space", "space", "play", "Play, or pause", "replay", 100, REPLAY),
    Action("moment(-1)", "left_square_bracket", "[", "previous", "Go to the previous moment", "replay", 90, REPLAY),
    Action("moment(1)", "right_square_bracket", "]", "next", "Go to the next moment", "replay", 91, REPLAY),
    Action("speed(-1)", "comma", ",", "slower", "Slower, down to 1/1000", "replay", 84, REPLAY),
    Action("speed(1)", "full_stop", ".", "faster", "Faster, up to 10 times", "replay", 85, REPLAY),
    Action("slow", "z", "z", "slow motion", "This run at 1/100; again: as before", "replay", 86, REPLAY),
    Action(
        "loop",
        "b",
        "b",
        "loop",
        "Over and over: cursor to cursor, or trigger to last mark",
        "replay",
        60,
        REPLAY,
    ),
    Action("again", "enter", "enter", "start", "Live again, and the next run", "replay", 92, REPLAY),
    Action("edge(0)", "home", "home", "start", "Go to the start of the recording", "replay", 40, REPLAY),
    Action("edge(1)", "end", "end", "end", "Go to the end of the recording", "replay", 39, REPLAY),
    Action("moment(-1)", "left_square_bracket", "[ ]", "", "The cursor to another moment", "scope", 0, LIVE),
    Action(
        "moment(1)",
        "right_square_bracket",
        "[ ]",
        "moment",
        "The cursor to another moment",
        "scope",
        68,
        LIVE,
    ),
    Action("why", "w", "w", "why", "The thread from the cursor's mark to what caused it", "scope", 91),
    Action("second", "v", "v", "2nd cursor", "A second cursor here, or none: the difference is read out", "scope", 35),
    Action("axis", "l", "l", "axis", "The axis logarithmic, or linear from 10 µs to 1 s a division", "scope", 48),
    Action("zoom(1)", "plus,equals_sign", "+ -", "zoom", "A step closer or further away, at the cursor", "scope", 47),
    Action("zoom(-1)", "minus", "+ -", "", "A step closer or further away, at the cursor", "scope", 0),
    Action("pan(-1)", "left", "left right", "", "The window a division to the left or right", "scope", 0),
    Action("pan(1)", "right", "left right", "pan", "The window a division to the left or right", "scope", 34),
    Action("fit", "0", "0", "fit", "All that there is to see, and go along with now", "scope", 33),
    Action("unmark", "backspace", "backspace", "", "No cursor", "scope", 0),
    Action("slow", "z", "z", "slow motion", "The last run again at 1/100, from its trigger on", "look", 93, LIVE),
    Action("select(-1)", "up,shift+tab", "up down", "lane", "Select the lane above or below", "look", 0),
    Action("select(1)", "down,tab", "up down", "lane", "Select the lane above or below", "look", 50),
    Action("evidence", "e", "e", "evidence", "Every mark of the selected lane with all its evidence", "look", 60),
    Action("side", "m", "m", "panels", "Show or hide the timeouts and the machine", "look", 45),
    Action("machine", "M,shift+m", "M", "machine", "The machine on the whole screen, or the timeline", "look", 44),
    Action("back", "escape", "esc", "timeline", "The timeline again; it never cancels anything", "look", 0, LIVE),
    Action("coverage", "g", "g", "grid", "What can be tried, what has a scenario, what this session tried", "look", 46),
    Action(
        "history", "h", "h", "history", "The runs so far: each, against another, and all that are alike", "look", 48
    ),
    Action("pin", "p", "p", "pin", "Compare other runs with this one; again: each with the last", "look", 44),
    Action("addresses", "a", "a", "addresses", "Addresses and commands for outside clients", "look", 88, LIVE),
    Action("record", "r", "r", "record", "Start or stop a recording", "session", 70, LIVE),
    Action("replay", "R,shift+r", "R", "replay", "Replay what happened so far", "session", 65, LIVE),
    Action("notes", "n", "n", "notes", "The scenario's question, its answer, the presenter's notes", "look", 92),
    Action("log", "L,shift+l", "L", "log", "What the lab and its processes said", "session", 42),
    Action("help", "question_mark", "?", "help", "All keys, all marks", "session", 95),
    Action(
        "app.next_theme",
        "ctrl+t",
        "ctrl+t",
        "theme",
        "Dark, light, high contrast, colour-blind safe",
        "always",
        0,
        ANYWHERE,
    ),
    Action("leave", "q", "q", "quit", "Quit; asks while a run is open", "session", 94, LIVE),
    Action("leave", "q,escape", "q", "back", "Leave the replay", "session", 94, REPLAY),
    Action("answer", "enter", "enter", "", "The answer and why, also before the run", "lesson", 0, LESSON),
    Action("presenter", "p", "p", "", "The presenter's own notes", "lesson", 0, LESSON),
    Action("close", "escape,n,q", "esc", "", "Back", "lesson", 0, LESSON),
    Action("scroll(-1)", "up,k", "up down", "", "A line up or down", "log", 0, LOG),
    Action("scroll(1)", "down,j", "up down", "scroll", "A line up or down", "log", 90, LOG),
    Action("page(-1)", "pageup", "pgup pgdn", "", "A page up or down", "log", 0, LOG),
    Action("page(1)", "pagedown,space", "pgup pgdn", "page", "A page up or down", "log", 50, LOG),
    Action("scroll(-1000000)", "home", "home end", "", "The first line, or the last, and follow", "log", 0, LOG),
    Action("scroll(1000000)", "end", "end", "follow", "The first line, or the last, and follow", "log", 70, LOG),
    Action("who(-1)", "left,shift+tab", "left right", "", "Whose lines alone, or everybody's", "log", 0, LOG),
    Action("who(1)", "right,tab", "left right", "who", "Whose lines alone, or everybody's", "log", 80, LOG),
    Action("close", "escape,L,shift+l,q", "esc", "leave", "Back", "log", 95, LOG),
    Action("move(-1)", "up", "up down", "", "The scenario above or below", "scenarios", 0, SCENARIOS),
    Action("move(1)", "down", "up down", "choose", "The scenario above or below", "scenarios", 90, SCENARIOS),
    Action("page(-1)", "pageup", "pgup pgdn", "", "Half a page up or down", "scenarios", 0, SCENARIOS),
    Action("page(1)", "pagedown", "pgup pgdn", "page", "Half a page up or down", "scenarios", 40, SCENARIOS),
    Action("move(-9999)", "home", "home end", "", "The first or the last scenario", "scenarios", 0, SCENARIOS),
    Action("move(9999)", "end", "home end", "", "The first or the last scenario", "scenarios", 0, SCENARIOS),
    Action("rub(0)", "backspace", "type", "to search", "Words to find, or a path", "scenarios", 80, SCENARIOS),
    Action("rub(1)", "ctrl+u", "ctrl+u", "clear", "Forget what was typed", "scenarios", 50, SCENARIOS),
    Action("load", "enter", "enter", "load", "Make it the next run", "scenarios", 99, SCENARIOS),
    Action("close", "escape", "esc", "leave", "Leave without a choice", "scenarios", 95, SCENARIOS),
    Action("move(-1)", "up", "up down", "", "The value above or below", "lanes", 0, LANES),
    Action("move(1)", "down", "up down", "value", "The value above or below", "lanes", 60, LANES),
    Action("move(-10)", "pageup", "pgup pgdn", "", "Ten values up or down", "lanes", 0, LANES),
    Action("move(10)", "pagedown", "pgup pgdn", "", "Ten values up or down", "lanes", 0, LANES),
    Action("step(-1)", "left", "left right", "", "The choice, or the step, before or after", "lanes", 0, LANES),
    Action("step(1)", "right", "left right", "change", "The choice, or the step, before or after", "lanes", 90, LANES),
    Action(
        "type", "enter", "enter", "type", "Type a value, and take it; a figure begins with a digit", "lanes", 70, LANES
    ),
    Action("rub", "backspace", "backspace", "", "Take back a letter", "lanes", 0, LANES),
    Action("lane(1)", "tab", "tab", "lane", "The next lane; shift+tab: the one before", "lanes", 80, LANES),
    Action("lane(-1)", "shift+tab", "tab", "", "The next lane; shift+tab: the one before", "lanes", 0, LANES),
    Action("add", "n", "n", "new lane", "Another lane like this one, with a name of its own", "lanes", 75, LANES),
    Action("remove", "d,delete", "d", "remove", "Take this lane away", "lanes", 74, LANES),
    Action("reset", "ctrl+r", "ctrl+r", "reset", "All lanes as in the scenario", "lanes", 50, LANES),
    Action("apply", "a", "a", "apply", "Make them the next run", "lanes", 99, LANES),
    Action("close", "escape", "esc", "leave", "Leave everything as it was", "lanes", 95, LANES),
    Action("move(-1)", "up", "up down", "", "The fault above or below", "faults", 0, FAULTS),
    Action("move(1)", "down", "up down", "choose", "The fault above or below", "faults", 80, FAULTS),
    Action("turn(-1)", "left", "left right", "", "Both directions, or one of them", "faults", 0, FAULTS),
    Action("turn(1)", "right", "left right", "direction", "Both directions, or one of them", "faults", 70, FAULTS),
    Action("do", "enter", "enter", "do it", "Let it begin, or end; its letter does so at once", "faults", 99, FAULTS),
    Action("close", "escape", "esc", "leave", "Leave the connections as they are", "faults", 95, FAULTS),
    Action("move(-1, 0)", "left", "arrows", "", "Another phase or cause", "coverage", 0, COVERAGE),
    Action("move(1, 0)", "right", "arrows", "", "Another phase or cause", "coverage", 0, COVERAGE),
    Action("move(0, -1)", "up", "arrows", "", "Another phase or cause", "coverage", 0, COVERAGE),
    Action("move(0, 1)", "down", "arrows", "move", "Another phase or cause", "coverage", 90, COVERAGE),
    Action("lane(1)", "tab", "tab", "lane", "The next lane; shift+tab: the one before", "coverage", 80, COVERAGE),
    Action("lane(-1)", "shift+tab", "tab", "", "The next lane; shift+tab: the one before", "coverage", 0, COVERAGE),
    Action(
        "open", "enter", "enter", "open", "Its scenarios; or its lane in the panel of lanes", "coverage", 99, COVERAGE
    ),
    Action("close", "escape,g,q", "esc", "leave", "Back", "coverage", 95, COVERAGE),
    Action("move(-1)", "up", "up down", "", "A newer or an older run", "history", 0, HISTORY),
    Action("move(1)", "down", "up down", "choose", "A newer or an older run", "history", 90, HISTORY),
    Action("move(-10)", "pageup", "pgup pgdn", "", "Ten runs up or down", "history", 0, HISTORY),
    Action("move(10)", "pagedown", "pgup pgdn", "page", "Ten runs up or down", "history", 40, HISTORY),
    Action("move(-9999)", "home", "home end", "", "The newest or the oldest run", "history", 0, HISTORY),
    Action("move(9999)", "end", "home end", "", "The newest or the oldest run", "history", 0, HISTORY),
    Action("lane(1)", "tab", "tab", "lane", "The next lane; shift+tab: the one before", "history", 60, HISTORY),
    Action("lane(-1)", "shift+tab", "tab", "", "The next lane; shift+tab: the one before", "history", 0, HISTORY),
    Action("pin", "p", "p", "pin", "Compare others with this run; again: with none", "history", 80, HISTORY),
    Action("open", "enter", "enter", "open", "This run in the replay, from its end", "history", 99, HISTORY),
    Action("close", "escape,h,q", "esc", "leave", "Back", "history", 95, HISTORY),
)

GROUPS = {
    "run": "a run",
    "next": "the next run",
    "replay": "a replay",
    "look": "looking",
    "scope": "the timeline",
    "session": "the session",
    "always": "on every screen",
    "log": "in the log",
    "lesson": "in the scenario's notes",
    "scenarios": "in the list of scenarios",
    "lanes": "in the panel of lanes",
    "faults": "in the menu of faults",
    "coverage": "in the grid",
    "history": "in the history",
}


DIALOGS: dict[Mode, tuple[Place, ...]] = {
    "live": ("scenarios", "lanes", "faults", "coverage", "history", "lesson", "log"),
    "replay": ("coverage", "history", "lesson", "log"),
}
"""The dialogs that are opened from a screen, and have keys of their own."""


def actions(place: Place) -> Iterator[Action]:
    return (action for action in ACTIONS if place in action.places)


def bindings(place: Place) -> list[BindingType]:
    return [action.binding() for action in actions(place)]


Shown = Callable[[Action], str]
"""How an action's key is written: as the table has it, or as somebody's own keys have it."""


def as_shipped(action: Action) -> str:
    return action.shown


def hints(place: Place, shown: Shown = as_shipped) -> list[Hint]:
    """For the last line of a dialog."""
    return [hint(action, shown=shown) for action in actions(place) if action.weight]


def hint(action: Action, label: str = "", shown: Shown = as_shipped) -> Hint:
    return Hint(shown(action), label or action.label, action.name, action.weight)


def help_lines(mode: Mode, shown: Shown = as_shipped) -> list[Line]:
    """The whole help: keys by group, the legend, and the keys of the dialogs."""
    lines = _keys((*actions(mode), *actions("anywhere")), shown)
    lines += [[("  esc      ", Role.KEY), ("Closes a dialog; it never cancels anything", Role.TEXT)]]
    lines += [[], [("marks", Role.TITLE)], *([("  ", Role.TEXT), *line] for line in LEGEND)]
    for place in DIALOGS[mode]:
        lines += [[], *_keys(actions(place), shown)]
    return lines


def _keys(found: Iterable[Action], shown: Shown) -> list[Line]:
    """A heading for each group, and under it a line for each key."""
    groups: dict[str, dict[str, str]] = {}
    for action in found:
        groups.setdefault(action.group, {})[shown(action)] = action.help
    lines: list[Line] = []
    for group, said in groups.items():
        lines += [[(GROUPS[group], Role.TITLE)]]
        lines += [[(f"  {keys:<10} ", Role.KEY), (text, Role.TEXT)] for keys, text in said.items()]
    return lines
