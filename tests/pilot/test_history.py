"""The history of runs: every key, a pinned run, and a run that is opened."""

from __future__ import annotations

from collections.abc import Sequence

from app.screens.history import HistoryScreen
from app.screens.live import LiveScreen
from app.screens.replay import ReplayScreen
from probes.events import Event
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Console, Open


def session(runs: int = 3) -> Sequence[Event]:
    events = list(Told().ready().events)
    for run in range(1, runs + 1):
        told = Told(run, kit.RUN_BEGIN + run * 5 * kit.SECOND)
        events += told.fired(kit.settings()).cancelled().settled().events
    return events


def history(it: Console) -> HistoryScreen:
    assert isinstance(it.app.screen, HistoryScreen)
    return it.app.screen


async def test_every_key_of_it(console: Open) -> None:
    async with console() as it:
        await it.say(session())
        await it.press("h")
        assert "3 runs" in it.board()
        assert history(it).chronicle.run == 3
        await it.press("down", "tab")
        assert (history(it).chronicle.run, history(it).chronicle.lane) == (2, 1)
        await it.press("shift+tab", "end")
        assert (history(it).chronicle.run, history(it).chronicle.lane) == (1, 0)
        await it.press("home", "pagedown")
        assert history(it).chronicle.run == 1
        await it.press("pageup", "down", "up")
        assert history(it).chronicle.run == 3
        await it.press("escape")
        assert isinstance(it.app.screen, LiveScreen)
        await it.press("h", "h")
        assert isinstance(it.app.screen, LiveScreen)


async def test_a_run_that_settles_meanwhile_comes_in(console: Open) -> None:
    async with console() as it:
        await it.say(session(1))
        await it.press("h")
        told = Told(2, kit.RUN_BEGIN + 30 * kit.SECOND)
        await it.say(told.fired(kit.settings()).cancelled().settled().events)
        assert "2 runs" in it.board()


async def test_a_run_is_opened_in_the_replay_at_its_end(console: Open) -> None:
    async with console() as it:
        await it.say(session())
        await it.press("h", "down", "enter")
        await it.pilot.pause()
        replay = it.app.screen
        assert isinstance(replay, ReplayScreen)
        assert replay.source.number == 2
        assert replay.source.run.ended is not None
        await it.press("h", "end", "enter")
        assert isinstance(it.app.screen, ReplayScreen)
        assert replay.source.number == 1
        await it.press("p")
        assert replay.pinned == 1


async def test_the_scoreboard_compares_with_the_last_run_or_the_pinned_one(console: Open) -> None:
    async with console() as it:
        await it.say(session())
        assert "vs 2 before" in it.text("scoreboard")
        await it.press("h", "end", "p", "escape")
        assert "vs 1 pinned" in it.text("scoreboard")
        await it.press("p")
        assert it.app.scope.pinned == 3
        assert "vs 2 before" in it.text("scoreboard")
        await it.press("p")
        assert it.app.scope.pinned == 0


async def test_nothing_is_pinned_before_there_is_a_run(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await it.press("p", "h")
        assert it.app.scope.pinned == 0
        assert "no run yet" in it.board()
        await it.press("enter", "p", "down", "tab")
        assert isinstance(it.app.screen, HistoryScreen)
