"""The dialog that sets the timeouts of the next run, and says which of them will win."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import DescendantFocus, Key
from textual.message import Message
from textual.widgets import Input, Label

from app.paint.saying import WINS, effect, told
from app.paint.text import plain
from app.presets import PresetError, shipped
from app.screens.pages import Dialog
from app.settings import SCOPE, RunSettings
from app.steps import nudge, parse
from probes.forecast import Forecast, forecasts
from probes.units import seconds_text

_HELP = "left right step, del reset, ctrl+r all, pgdn presets, enter, esc"
_STEPS = {"+": 1, "-": -1}
_ARROWS = {"right": 1, "left": -1}


class Field(Input):
    """The entry for one timeout. Left and right, and + and -, step through 1-2-5."""

    class Stepped(Message):
        """The value was changed by a step."""

    def __init__(self, lane: str, name: str, seconds: float | None) -> None:
        super().__init__(seconds_text(seconds), compact=True, select_on_focus=True)
        self.lane, self.timeout, self.original = lane, name, seconds
        self.effect = Label("", classes="effect")

    async def _on_key(self, event: Key) -> None:
        direction = _STEPS.get(event.character or "", _ARROWS.get(event.key, 0))
        if not direction and event.key != "delete":
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        if direction:
            self.step(direction)
        else:
            self.show(self.original)

    def step(self, direction: int) -> None:
        try:
            self.show(nudge(parse(self.value), direction))
        except ValueError:
            return

    def show(self, seconds: float | None) -> None:
        self.value = seconds_text(seconds)
        self.cursor_position = len(self.value)


class TimeoutsScreen(Dialog[RunSettings]):
    """Gives the changed settings, or None when it was left without a change."""

    BINDINGS: ClassVar = [
        Binding("enter", "apply", "apply", priority=True),
        Binding("up", "app.focus_previous", "up"),
        Binding("down", "app.focus_next", "down"),
        Binding("pageup", "preset(-1)", "preset before", priority=True),
        Binding("pagedown", "preset(1)", "next preset", priority=True),
        Binding("ctrl+r", "reset", "reset", priority=True),
    ]

    def __init__(self, settings: RunSettings, original: RunSettings) -> None:
        super().__init__()
        self._settings, self._original = settings, original
        self._preset = 0
        """Which one is in the fields: 0 none of them, from 1 on those that are shipped."""

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            last = None
            originals = (seconds for _, _, seconds in self._original.timeouts())
            for (lane, name, seconds), original in zip(self._settings.timeouts(), originals, strict=True):
                field = Field(lane, name, seconds)
                field.original = original
                with Horizontal(classes="field"):
                    shown = plain(lane) if lane != SCOPE else "scope"
                    yield Label(Content(shown if lane != last else ""), classes="lane")
                    yield Label(Content(name), classes="name")
                    yield field
                    yield field.effect
                last = lane
            yield Label("", id="problem")
            yield Label(_HELP, id="how", markup=False)

    def on_mount(self) -> None:
        self._head("")
        self.query(Field).first().focus()
        self._check()

    def _head(self, preset: str) -> None:
        self.query_one("#form").border_title = f"timeouts of the next run{f' · {preset}' if preset else ''}"

    def on_input_changed(self) -> None:
        self._check()

    def on_descendant_focus(self, _event: DescendantFocus) -> None:
        self._check()

    def action_reset(self) -> None:
        """Back to what the scenario says."""
        self._preset = 0
        self._head("")
        self._show(self._original)

    def action_preset(self, by: int) -> None:
        """The preset after or before the one that is in the fields; between the last and the first: the scenario's."""
        try:
            presets = shipped()
        except PresetError as error:
            self.query_one("#problem", Label).update(Content(plain(str(error))))
            return
        self._preset = (self._preset + by) % (len(presets) + 1)
        if not self._preset:
            self.action_reset()
            return
        chosen = presets[self._preset - 1]
        self._head(f"{chosen.name}: {chosen.help}" if self.size.width >= 100 else chosen.name)
        self._show(chosen.on(self._original))

    def _show(self, settings: RunSettings) -> None:
        for field, (_, _, seconds) in zip(self.query(Field), settings.timeouts(), strict=True):
            field.show(seconds)

    def action_apply(self) -> None:
        settings = self._check()
        if settings is not None:
            self.dismiss(settings)

    def _check(self) -> RunSettings | None:
        """The settings as they are typed; None, and one line that says why, when something is wrong."""
        settings, problem = self._settings, ""
        for field in self.query(Field):
            try:
                settings = settings.with_timeout(field.lane, field.timeout, parse(field.value))
            except ValueError as error:
                problem = problem or f"{field.lane or 'scope'} {field.timeout}: {error}"
            field.set_class(bool(_why(field.value)), "-wrong")
        line = self.query_one("#problem", Label)
        line.set_class(bool(problem), "-wrong")
        if problem:
            line.update(Content(plain(problem)))
            return None
        self._tell(settings)
        return settings

    def _tell(self, settings: RunSettings) -> None:
        """What each timer will do beside it, and below why, of the one that has the focus."""
        said = {each.lane: each for each in forecasts(settings.lanes, settings.deadline)}
        everybody: list[Forecast] = list(said.values())
        for field in self.query(Field):
            of = everybody if field.lane == SCOPE else [said[field.lane]]
            text = effect(of, field.timeout, field.lane == SCOPE)
            field.effect.update(Content(text))
            field.effect.set_class(text.startswith(WINS), "-wins")
        at = self.focused
        if isinstance(at, Field):
            of = everybody if at.lane == SCOPE else [said[at.lane]]
            self.query_one("#problem", Label).update(Content(told(of, at.timeout, at.lane == SCOPE)))


def _why(text: str, check: Callable[[str], object] = parse) -> str:
    try:
        check(text)
    except ValueError as error:
        return str(error)
    return ""
