"""The console: a Textual app over a lab, or over a recording.

The lab is reached through ``LabHandle`` only. The first frame is drawn before the lab is asked to start.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from app import theme
from app.actions import ACTIONS, Shown, actions, bindings
from app.keymap import DEFAULT as KEYS
from app.keymap import Keymap
from app.listen import Invitation
from app.screens.live import LiveScreen
from app.screens.replay import ReplayScreen
from app.screens.scope import ScopeScreen
from app.settings import RunSettings
from app.source import HandleFactory, LiveSource, ReplaySource
from probes.events import Event
from probes.replay import Player


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody wants it. ``theme``: as on the command line, or one of Textual's; ``remember`` is told the next."""

    theme: str = ""
    keys: Keymap = KEYS
    remember: Callable[[str], None] = lambda _name: None


class ConsoleApp(App[None]):
    """What both consoles share: themes, the palette of commands, the time of the last key."""

    CSS_PATH = "console.tcss"
    TITLE = "Cancelloscope"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = bindings("anywhere")

    def __init__(self, clock: Callable[[], int], ticker: bool, look: Look) -> None:
        super().__init__()
        self.clock, self.ticker, self._look = clock, ticker, look
        self.key_ns = 0
        """When the last key went down: CLOCK_MONOTONIC, as Textual's reader stamped it."""
        for each in theme.THEMES:
            self.register_theme(each)
        chosen = theme.NAMES[look.theme].name if look.theme in theme.NAMES else look.theme
        shown = {action.id: look.keys.shown(action) for action in ACTIONS}
        self.shown: Shown = lambda action: shown[action.id]
        self.set_keymap(look.keys.for_textual())
        self.theme = chosen if chosen in self.available_themes else theme.DARK.name

    def on_ready(self) -> None:
        """The first frame is there."""
        self.theme_changed_signal.subscribe(self, lambda new: self._look.remember(theme.short(new.name)))
        if not self.is_headless:
            # What is there now stays for good; looking through all of it took 20 ms out of every few frames.
            gc.freeze()

    def get_css_variables(self) -> dict[str, str]:
        return theme.variables(super().get_css_variables())

    def action_next_theme(self) -> None:
        self.theme = theme.after(self.theme)
        self.notify(theme.short(self.theme), timeout=2)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key):
            self.key_ns = round(event.time * 1e9)
        await super().on_event(event)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The table of actions, and Textual's own."""
        if isinstance(screen, ScopeScreen):
            for action in (*actions(screen.source.mode), *actions("anywhere")):
                name, _, rest = action.name.partition("(")
                parameters = tuple(int(each) for each in rest[:-1].split(",")) if rest else ()
                if screen.check_action(name, parameters):
                    title = f"{action.label or action.group} ({self._look.keys.first(action)})"
                    yield SystemCommand(title, action.help, lambda name=action.name: screen.run_action(name))
        yield from super().get_system_commands(screen)


class CancelloscopeApp(ConsoleApp):
    """The live console. ``listen``: the address on which outside clients are taken, or none; ``clock``:
    CLOCK_MONOTONIC in ns; ``ticker``: False where a test draws the frames."""

    def __init__(
        self,
        handle_factory: HandleFactory,
        settings: RunSettings,
        *,
        listen: str = "",
        look: Look = Look(),
        clock: Callable[[], int] = time.monotonic_ns,
        ticker: bool = True,
    ) -> None:
        super().__init__(clock, ticker, look)
        self.source = LiveSource(settings, clock)
        self._invite = Invitation(listen)
        self.source.listening = bool(listen)
        self.handle = handle_factory(self.on_events)
        self.scope = LiveScreen(self.source, self.handle, clock=clock, key_ns=lambda: self.key_ns, ticker=ticker)

    def on_mount(self) -> None:
        self.push_screen(self.scope)
        self.call_after_refresh(self._start_lab)

    def _start_lab(self) -> None:
        self.run_worker(self._bring_up(), exit_on_error=False)

    async def _bring_up(self) -> None:
        try:
            await self.handle.start()
        except OSError as error:
            self.scope.say(f"the lab cannot be started: {error}", "error")
        self.scope.follow_recording()

    def on_events(self, batch: list[Event]) -> None:
        """What the lab said: kept at once, drawn at the next frame."""
        self.source.feed(batch)
        self._invite.follow(batch, self.source.log.latest, self.handle.send)
        self.scope.follow_recording()


class ReplayApp(ConsoleApp):
    """A console over a recording."""

    def __init__(
        self,
        player: Player,
        path: Path | None,
        *,
        look: Look = Look(),
        clock: Callable[[], int] = time.monotonic_ns,
        ticker: bool = True,
    ) -> None:
        super().__init__(clock, ticker, look)
        self.scope = ReplayScreen(ReplaySource(player, path), clock=clock, ticker=ticker)

    def on_mount(self) -> None:
        self.push_screen(self.scope)


def run_console(
    handle_factory: HandleFactory,
    settings: RunSettings,
    *,
    record: Path | None = None,
    overwrite: bool = False,
    listen: str = "",
    look: Look = Look(),
) -> tuple[str, ...]:
    """Open the live console and stay until it is left; the lab is gone afterwards, whatever happened. Returns the
    recordings that were made.

    ``record``: a file that gets the whole session; ``listen``: the address on which outside clients are taken. Raises
    RecordingError when the file cannot be written.
    """
    app = CancelloscopeApp(handle_factory, settings, listen=listen, look=look)
    asyncio.run(_live(app, record, overwrite))
    return tuple(app.source.recordings)


async def _live(app: CancelloscopeApp, record: Path | None, overwrite: bool) -> None:
    try:
        if record is not None:
            app.handle.start_recording(record, overwrite=overwrite)
        await _until_left(app)
    finally:
        await app.handle.stop()


def run_replay(player: Player, path: Path | None, *, look: Look = Look()) -> None:
    """Open the console over a recording and stay until it is left. ``path`` is only named."""
    asyncio.run(_until_left(ReplayApp(player, path, look=look)))


async def _until_left(app: ConsoleApp) -> None:
    loop = asyncio.get_running_loop()
    # The terminal is given back as it was, also when somebody ends the process from outside.
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.exit)
    try:
        await app.run_async()
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
