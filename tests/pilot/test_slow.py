"""Slow motion, on the live screen and in a replay: every key of it, and that it shows the fold and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import pytest

from app.screens.live import LiveScreen
from app.screens.pages import HelpScreen
from app.screens.replay import SlowScreen
from probes.events import Event
from probes.fold import fold, order_key
from probes.part import REST
from tests.kit import console_kit as kit
from tests.kit.console_kit import SECOND, Told
from tests.pilot.conftest import Console, Open
from tests.pilot.test_replay import ZERO, replaying, text

MS = 1_000_000


def slow(it: Console) -> SlowScreen:
    screen = it.app.screen
    assert isinstance(screen, SlowScreen)
    return screen


async def play(it: Console, wall: int) -> None:
    """Wall time passes, and a frame is drawn."""
    it.clock.now += wall
    slow(it).tick()
    await it.pilot.pause()


async def test_z_plays_the_last_run_on_the_same_screen_and_says_how_fast(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await it.press("z")
        assert isinstance(it.app.screen, LiveScreen)
        await it.say([event for event in kit.settled() if event.run], ZERO)
        await it.press("down", "z")
        await play(it, 0)
        screen = slow(it)
        assert (screen.player.position, screen.player.speed) == (ZERO - 15 * MS, Fraction(1, 100))
        assert "SLOW MOTION" in it.text("status")
        assert "slow motion 1/100 ▸" in it.text("timeline")
        assert "task.cancel()" not in it.text("timeline")
        assert "machine · 2 http/1.1" in it.text("machine")
        await play(it, 1_550 * MS)
        assert screen.player.position == ZERO + MS // 2
        assert "task.cancel()" in it.text("timeline")
        assert "RST_STREAM" not in it.text("timeline")
        await play(it, 100 * MS)
        assert "RST_STREAM" in it.text("timeline")


@pytest.mark.parametrize("key", ["z", "escape", "q"])
async def test_one_key_leads_back_to_live(console: Open, key: str) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", "down", key)
        assert isinstance(it.app.screen, LiveScreen)
        assert it.app.is_running
        assert "LIVE" in it.text("status")
        assert "machine · 2 http/1.1" in it.text("machine")
        assert it.handle.sent == []


async def test_enter_is_live_again_with_the_next_run(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", "enter")
        assert isinstance(it.app.screen, LiveScreen)
        assert it.handle.sent == [kit.settings().to_start(2)]


async def test_its_keys_freeze_step_and_change_the_speed(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", "space")
        at = slow(it).player.position
        await play(it, SECOND)
        assert slow(it).player.position == at
        assert "slow motion 1/100 ‖" in it.text("timeline")
        await it.press("right_square_bracket", "right_square_bracket")
        moments = slow(it).player.moments(1)
        assert slow(it).player.position == moments[1]
        await it.press("left_square_bracket", "left_square_bracket")
        assert slow(it).player.position == moments[0]
        await it.press("comma", "space")
        await play(it, SECOND)
        assert slow(it).player.position == moments[0] + MS
        await it.press("full_stop", "full_stop")
        assert slow(it).player.speed == Fraction(1, 10)
        await it.press("end")
        assert slow(it).player.position == kit.settled()[-1].t
        await it.press("home")
        assert slow(it).player.position == ZERO - 15 * MS
        await it.press("question_mark", "c", "escape")
        assert not isinstance(it.app.screen, HelpScreen)
        assert it.handle.sent == []


async def test_a_quiet_stretch_is_left_out_and_said_so(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z")
        await play(it, 3_600 * MS)
        assert "zombie" in it.text("timeline"), "at 20 ms it is called one, and that is seen"
        await play(it, 1_900 * MS)
        assert "skipped 9" in it.text("timeline")
        await play(it, 10 * SECOND)
        assert not slow(it).player.playing
        assert "zombie > 1.0 s" in it.text("timeline")
        await it.press("space")
        assert slow(it).player.position == ZERO - 15 * MS


async def test_b_plays_from_trigger_to_last_mark_over_and_over(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", "b")
        player = slow(it).player
        assert player.position == ZERO
        await play(it, REST)
        await play(it, 10 * SECOND)
        assert player.position == ZERO + 5_610_000
        assert "in a loop" in it.text("timeline")
        await play(it, REST)
        assert player.position == ZERO
        await it.press("b")
        await play(it, REST)
        await play(it, 100 * MS)
        assert "in a loop" not in it.text("timeline")


async def test_b_plays_from_cursor_to_cursor_where_there_are_two(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", *["right_square_bracket"] * 2, "v", *["right_square_bracket"] * 3, "b")
        player = slow(it).player
        moments = player.moments(1)
        assert player.part is not None
        assert (player.part.first, player.part.last, player.position) == (moments[1], moments[4], moments[1])
        await play(it, REST)
        await play(it, SECOND)
        assert player.position == moments[4]
        await it.press("backspace", "b", "b")
        assert (player.part.first, player.part.last) == (ZERO, moments[-1])


async def test_at_every_event_it_shows_what_the_fold_has_there(console: Open) -> None:
    told = [event for event in kit.settled() if event.run]
    ordered: Sequence[Event] = sorted(told, key=order_key)
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", "space")
        screen = slow(it)
        for t in sorted({event.t for event in ordered if event.t >= ZERO - 15 * MS}):
            screen.player.seek(t)
            assert screen.view().run == fold(event for event in ordered if event.t <= t)


async def test_a_run_that_is_still_a_zombie_is_played_on_when_it_has_ended(console: Open) -> None:
    whole = list(kit.settled())
    known = list(kit.cancelled())
    async with console() as it:
        await it.say(known, ZERO + SECOND)
        await it.press("z")
        await play(it, 60 * SECOND)
        await play(it, 60 * SECOND)
        assert not slow(it).player.playing
        assert "zombie" in it.text("timeline")
        at = slow(it).player.position
        await it.say(whole[len(known) :])
        assert (slow(it).player.position, slow(it).player.playing) == (at, True)
        await play(it, 60 * SECOND)
        await play(it, 60 * SECOND)
        assert slow(it).view().run == fold(sorted((event for event in whole if event.run), key=order_key))


async def test_a_run_that_waits_for_its_cancel_is_not_replayed(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("z")
        assert isinstance(it.app.screen, LiveScreen)


@pytest.mark.parametrize("dialog", [False, True])
async def test_a_new_run_ends_slow_motion(console: Open, dialog: bool) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("z", *["question_mark"] * dialog)
        await it.say(Told(run=2, begin=ZERO + 5 * SECOND).fired(kit.settings()).events, ZERO + 6 * SECOND)
        await it.press(*["escape"] * dialog)
        assert isinstance(it.app.screen, LiveScreen)
        assert "run 2" in it.text("status")
        assert [notice.message for notice in it.app._notifications][-1] == "run 2 has begun: live again"


async def test_a_recording_is_named_while_it_runs(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press("r", "z")
        await play(it, 0)
        assert "● REC" in it.text("status")


async def test_in_a_replay_z_is_a_way_in_and_out() -> None:
    async with replaying() as (app, pilot, clock):
        player = app.scope.player  # type: ignore[attr-defined]
        assert player.run == 0
        await pilot.press("z")
        assert player.position == ZERO - 15 * MS, "before the first run it is that one"
        await pilot.press("z", "end", "z")
        assert (player.position, player.speed, player.playing) == (ZERO - 15 * MS, Fraction(1, 100), True)
        clock.now += 2 * SECOND
        assert "slow motion 1/100 ▸" in text(app, "timeline")
        assert "REPLAY" in text(app, "status")
        assert "z normal speed" in text(app, "keys")
        await pilot.press("z")
        assert (player.position, player.speed, player.part) == (ZERO + 5 * MS, 1, None)
        await pilot.press("b")
        assert (player.position, player.part.loop) == (ZERO, True)
        await pilot.press("b")
        assert player.part is None
