"""The dialog that sets the timeouts of the next run."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import Input, Label

from app.paint.text import plain
from app.screens.pages import Dialog
from app.settings import SCOPE, RunSettings
from app.steps import nudge, parse
from probes.units import seconds_text

_HELP = "+ - step  ·  enter apply  ·  ctrl+r as in the scenario  ·  esc leave"


class Field(Input):
    """The entry for one timeout. + and - step through 1-2-5."""

    class Stepped(Message):
        """The value was changed by a step."""

    def __init__(self, lane: str, name: str, seconds: float | None) -> None:
        super().__init__(seconds_text(seconds), compact=True, select_on_focus=True)
        self.lane, self.timeout = lane, name

    async def _on_key(self, event: Key) -> None:
        if event.character in ("+", "-"):
            event.stop()
            event.prevent_default()
            self.step(1 if event.character == "+" else -1)
            return
        await super()._on_key(event)

    def step(self, direction: int) -> None:
        try:
            self.value = seconds_text(nudge(parse(self.value), direction))
        except ValueError:
            return
        self.cursor_position = len(self.value)


class TimeoutsScreen(Dialog[RunSettings]):
    """Gives the changed settings, or None when it was left without a change."""

    BINDINGS: ClassVar = [
        Binding("enter", "apply", "apply", priority=True),
        Binding("up", "app.focus_previous", "up"),
        Binding("down", "app.focus_next", "down"),
        Binding("ctrl+r", "reset", "reset", priority=True),
    ]

    def __init__(self, settings: RunSettings, original: RunSettings) -> None:
        super().__init__()
        self._settings, self._original = settings, original

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False) as form:
            form.border_title = "timeouts of the next run"
            last = None
            for lane, name, seconds in self._settings.timeouts():
                with Horizontal(classes="field"):
                    shown = plain(lane) if lane != SCOPE else "scope"
                    yield Label(Content(shown if lane != last else ""), classes="lane")
                    yield Label(Content(name), classes="name")
                    yield Field(lane, name, seconds)
                last = lane
            yield Label("", id="problem")
            yield Label(_HELP, id="how", markup=False)

    def on_mount(self) -> None:
        self.query(Field).first().focus()

    def on_input_changed(self) -> None:
        self._check()

    def action_reset(self) -> None:
        """Back to what the scenario says."""
        for field, (_, _, seconds) in zip(self.query(Field), self._original.timeouts(), strict=True):
            field.value = seconds_text(seconds)

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
        self.query_one("#problem", Label).update(Content(plain(problem)))
        return None if problem else settings


def _why(text: str, check: Callable[[str], object] = parse) -> str:
    try:
        check(text)
    except ValueError as error:
        return str(error)
    return ""
