"""The grid: every key in it, what it opens, and how it fills."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from app.console import ReplayApp
from app.screens.coverage import CoverageScreen
from app.screens.lanes import LanesScreen
from app.screens.live import LiveScreen
from app.screens.replay import ReplayScreen
from app.screens.scenarios import ScenariosScreen
from app.widgets.board import Board
from probes.replay import Player
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, Told
from tests.pilot.conftest import Console, Open, shown

ZERO = Told().zero
GRPC = ("grpc", "mid-stream", "task.cancel")


def grid(it: Console) -> CoverageScreen:
    assert isinstance(it.app.screen, CoverageScreen)
    return it.app.screen


async def opened(it: Console) -> None:
    it.app.scope.library = kit.library()
    await it.press("g")


async def test_it_opens_at_the_selected_lane(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("down", "down")
        await opened(it)
        assert grid(it).grid.key == ("http/2", "response body", "task.cancel")
        assert "tried once, last zombie" in it.board()


async def test_arrows_and_tab_walk_over_it(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await opened(it)
        await it.press("left", "down", "down")
        assert grid(it).grid.key == ("grpc", "first response", "break")
        assert "cannot be: a loop over the chunks is left at a chunk" in it.board()
        await it.press("right", "up")
        assert grid(it).grid.key == ("grpc", "mid-stream", "task.cancel elsewhere")
        await it.press("tab", "shift+tab", "shift+tab")
        assert grid(it).grid.protocol == "postgres"


async def test_it_fills_as_runs_settle(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await opened(it)
        assert "0 tried" in it.board()
        *most, last = [event for event in kit.settled() if event.run]
        await it.say(most, ZERO)
        assert "0 tried" in it.board()
        await it.say([last])
        assert "4 tried" in it.board()
        assert "grpc 1/" in it.board()


async def test_enter_opens_the_scenarios_of_a_cell(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await opened(it)
        await it.press("enter")
        assert isinstance(it.app.screen, ScenariosScreen)
        assert [item.name for item in it.app.screen.state.items] == ["four-lanes"]
        await it.press("enter")
        assert it.app.scope.live.settings.scenario == "four-lanes"
        assert isinstance(it.app.screen, LiveScreen)


async def test_enter_builds_the_lane_of_a_cell_without_a_scenario(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await opened(it)
        await it.press("left", *["down"] * 5, "enter")
        assert isinstance(it.app.screen, LanesScreen)
        assert it.app.screen.form.names == ["grpc"]
        assert it.app.screen.problem == ""
        await it.press("a")
        live = it.app.scope.live.settings
        assert (live.title, live.scenario) == ("grpc: deadline in first response", "own lanes")
        assert (live.lanes[0].timeouts, live.lanes[0].delay) == ({"deadline": 0.4}, 30.0)
        await it.press("x", "ctrl+r", "n", "a")
        assert [plan.lane for plan in it.app.scope.live.settings.lanes] == ["grpc", "grpc 2"]
        assert it.app.scope.live.settings.title == "grpc: deadline in first response, changed"


async def test_what_cannot_be_is_not_opened(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await opened(it)
        await it.press("left", "down", "down", "enter")
        assert isinstance(it.app.screen, CoverageScreen)


async def test_while_a_run_is_open_it_is_looked_at_only(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await opened(it)
        await it.press("enter")
        assert isinstance(it.app.screen, LiveScreen)
        assert [notice.message for notice in it.app._notifications] == ["the next run is planned when none is open"]
        assert it.handle.sent == []


@pytest.mark.parametrize("key", ["escape", "g", "q"])
async def test_it_is_left_without_a_change(console: Open, key: str) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await opened(it)
        await it.press(key)
        assert isinstance(it.app.screen, LiveScreen)
        assert it.app.is_running
        assert it.app.scope.live.settings == kit.settings()


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60)])
async def test_it_fits(console: Open, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await it.say(kit.settled(), ZERO)
        await opened(it)
        board = it.app.screen.query_one("#board")
        assert board.region.right <= size[0]
        assert board.region.bottom <= size[1]
        assert "esc leave" in it.board()


async def test_a_replay_has_what_was_tried_up_to_where_it_stands() -> None:
    app = ReplayApp(Player(kit.settled()), Path("session.jsonl"), clock=ManualClock(0), ticker=False)
    app.scope.library = kit.library()
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await seen(pilot, app, "0 tried")
        await pilot.press("end")
        await seen(pilot, app, "4 tried")
        await pilot.press("home")
        await seen(pilot, app, "0 tried")


async def seen(pilot: Pilot[None], app: ReplayApp, words: str) -> None:
    await pilot.press("g")
    app.scope.tick()
    await pilot.pause()
    board = shown(app.screen.query_one("#board", Board))
    assert words in board
    assert "enter" not in board
    await pilot.press("enter")
    assert isinstance(app.screen, CoverageScreen)
    await pilot.press("escape")
    assert isinstance(app.screen, ReplayScreen)
