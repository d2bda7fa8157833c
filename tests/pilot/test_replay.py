"""The same screen over a recording: its keys, and the path that live view and replay share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import pytest
from textual.pilot import Pilot

from app.console import ReplayApp
from app.screens.pages import HelpScreen
from app.widgets.panel import Panel
from probes.replay import Player
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, Told
from tests.pilot.conftest import Open, shown

ZERO = Told().zero


@asynccontextmanager
async def replaying(size: tuple[int, int] = (120, 36)) -> AsyncIterator[tuple[ReplayApp, Pilot[None], ManualClock]]:
    clock = ManualClock(0)
    app = ReplayApp(Player(kit.settled()), Path("session.jsonl"), clock=clock, ticker=False)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.scope.draw()
        yield app, pilot, clock


def text(app: ReplayApp, panel: str) -> str:
    app.scope.tick()
    return shown(app.screen.query_one(f"#{panel}", Panel))


async def test_it_opens_paused_at_the_start() -> None:
    async with replaying() as (app, _, _clock):
        assert "REPLAY" in text(app, "status")
        assert "Press space to play" in text(app, "timeline")


async def test_moments_are_stepped_through_and_fill_in() -> None:
    async with replaying() as (app, pilot, _):
        seen = []
        for _ in range(12):
            await pilot.press("right_square_bracket")
            seen.append(text(app, "timeline"))
        assert "task.cancel()" in seen[0]
        hollow = [picture for picture in seen if "◇ says CancelledError  92 µs" in picture]
        assert hollow
        assert "◇ says CancelledError  92 µs" not in seen[-1]
        assert "RST_STREAM CANCEL(8)" in seen[-1]
        await pilot.press("left_square_bracket")
        assert text(app, "timeline") == seen[-2]


async def test_space_plays_by_wall_time_and_pauses() -> None:
    async with replaying() as (app, pilot, clock):
        player = app.scope.source.player  # type: ignore[attr-defined]
        player.seek(ZERO)
        await pilot.press("comma", "comma", "comma", "comma", "space")
        assert player.speed == Fraction(1, 100)
        clock.now += 1_000_000_000
        app.scope.tick()
        assert player.position == ZERO + 10_000_000
        assert "▸ 1/100" in text(app, "status")
        assert "pause" in text(app, "keys")
        await pilot.press("space")
        clock.now += 1_000_000_000
        app.scope.tick()
        assert player.position == ZERO + 10_000_000


async def test_speed_stops_at_both_ends() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press(*["comma"] * 12)
        assert "1/1000" in text(app, "status")
        await pilot.press(*["full_stop"] * 12)
        assert "10×" in text(app, "status")


async def test_home_and_end() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press("end")
        assert "zombie > 1.0 s" in text(app, "timeline")
        await pilot.press("home")
        assert "zombie" not in text(app, "timeline")


async def test_keys_of_a_run_do_nothing_here() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press("end", "enter", "c", "1", "t", "r")
        assert app.screen is app.scope


async def test_help_tells_the_keys_of_a_replay() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert app.screen is app.scope
        assert not app._exit


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_q_and_escape_leave(key: str) -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press(key)
        assert app._exit


async def test_at_the_end_a_replay_shows_what_the_live_screen_showed(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        live = {panel: it.text(panel) for panel in ("timeline", "scoreboard", "machine", "timeouts")}
    async with replaying() as (app, pilot, _):
        await pilot.press("end")
        text(app, "timeline")
        await pilot.pause()
        assert {panel: text(app, panel) for panel in live} == live
