"""The machine on the whole screen: live, in slow motion and in a replay."""

from __future__ import annotations

import pytest

from app.screens.replay import SlowScreen
from tests.kit import console_kit as kit
from tests.kit.console_kit import SECOND
from tests.pilot.conftest import Open
from tests.pilot.test_replay import ZERO, replaying, text


async def test_it_has_the_screen_while_a_run_goes_on_and_every_key_does_what_it_does(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("M")
        assert "[PartialSent]" in it.text("stage")
        assert not it.app.screen.query_one("#timeline").display
        await it.press("down", "down")
        assert "machine · 3 http/2" in it.text("stage")
        await it.press("3", "c")
        assert len(it.handle.sent) == 2
        await it.say([event for event in kit.settled() if event.t >= ZERO], ZERO + 2 * SECOND)
        assert "▌zombie" in it.text("stage")
        await it.press("escape")
        assert it.app.screen.query_one("#timeline").display
        assert not it.app.screen.query_one("#stage").display
        assert len(it.handle.sent) == 2


async def test_slow_motion_keeps_it_and_steps_it_along(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("M", "z")
        screen = it.app.screen
        assert isinstance(screen, SlowScreen)
        screen.player.playing = False
        seen = []
        for t in (ZERO, ZERO + 10_000, ZERO + 100_000):
            screen.player.seek(t)
            screen.changed()
            screen.tick()
            await it.pilot.pause()
            seen.append(
                [state for state in ("PartialSent", "Cancelling", "Cancelled") if f"[{state}]" in it.text("stage")]
            )
        assert seen == [["PartialSent"], ["PartialSent", "Cancelling"], ["PartialSent", "Cancelled"]]
        assert "slow motion 1/100" in it.text("stage")
        await it.press("M", "z")
        assert it.app.screen.query_one("#timeline").display


async def test_in_a_replay_escape_leads_back_to_the_timeline_first() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press("end", "M")
        text(app, "stage")
        await pilot.pause()
        assert "▌clean" in text(app, "stage")
        await pilot.press("escape")
        assert app.is_running
        assert not app._exit
        text(app, "timeline")
        await pilot.pause()
        assert "nothing seen" in text(app, "timeline")
        await pilot.press("escape")
        assert app._exit


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_it_has_any_size(console: Open, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await it.say(kit.settled(), ZERO)
        await it.press("down", "down", "M")
        assert "PartialSent" in it.text("stage")
        assert it.app.screen.query_one("#evidence").display == (size[1] == 60)
