"""The timeline's own keys, and the pointer on it."""

from __future__ import annotations

from app.console import ReplayApp
from app.widgets.trace import Trace
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Console, Open
from tests.pilot.test_replay import replaying, text

ZERO = Told().zero


async def settled(it: Console) -> None:
    await it.say(kit.settled(), ZERO)


async def test_the_axis_is_linear_or_logarithmic_and_says_so(console: Open) -> None:
    async with console() as it:
        await settled(it)
        assert "log axis" in it.text("timeline")
        await it.press("l")
        assert "2 ms/div" in it.text("timeline")
        await it.press("plus")
        assert "1 ms/div" in it.text("timeline")
        await it.press("minus", "minus")
        assert "5 ms/div" in it.text("timeline")
        await it.press("0")
        assert "500 ms/div" in it.text("timeline"), "all of it, the zombie's end as well"
        await it.press("right", "right")
        assert "‹ key ▾" in it.text("timeline")
        await it.press("left")
        assert "‹ key" not in it.text("timeline")
        await it.press("l")
        assert "log axis" in it.text("timeline")


async def test_the_cursor_walks_and_the_second_one_measures(console: Open) -> None:
    async with console() as it:
        await settled(it)
        await it.press("right_square_bracket")
        assert "9.0 µs after key  grpc caller" in it.text("timeline")
        await it.press("v", "right_square_bracket", "right_square_bracket", "left_square_bracket")
        assert "A-B 3.0 µs" in it.text("timeline")
        await it.press("v")
        assert "A-B" not in it.text("timeline")
        await it.press("backspace")
        assert "after key" not in it.text("timeline")


async def test_why_of_the_selected_lane_and_of_the_cursors_mark(console: Open) -> None:
    async with console() as it:
        await settled(it)
        await it.press("down", "down", "w")
        assert "nothing was seen on the wire" in it.text("timeline")
        await it.press("w")
        assert "because of" not in it.text("timeline")


async def test_a_thread_is_that_of_the_lane_that_is_selected_then(console: Open) -> None:
    async with console() as it:
        await settled(it)
        await it.press("w")
        assert "nothing was seen on the wire" not in it.text("timeline")
        await it.press("down", "down")
        assert "nothing was seen on the wire" in it.text("timeline")
        await it.press("w", "up", "w")
        said = next(line for line in it.text("timeline").splitlines() if "after key" in line)
        assert "http/1.1" in said


async def test_no_key_of_the_timeline_needs_a_run(console: Open) -> None:
    async with console() as it:
        await it.press("l", "plus", "minus", "0", "left", "right", "w", "v", "backspace", "l")
        await it.press("left_square_bracket", "right_square_bracket", "w")
        assert it.app.screen is it.app.scope
        assert it.handle.sent == []


async def test_in_a_replay_the_cursor_sits_where_the_playhead_is() -> None:
    async with replaying() as (app, pilot, _):
        for _ in range(8):
            await pilot.press("right_square_bracket")
        cursor = app.scope.lens.cursor
        assert cursor is not None
        assert cursor.t == player_of(app)
        assert "A " in text(app, "timeline")
        await pilot.press("left_square_bracket")
        assert app.scope.lens.cursor is not None
        assert app.scope.lens.cursor.t == player_of(app) < cursor.t


def player_of(app: ReplayApp) -> int:
    return app.scope.replay.player.position


async def test_the_pointer_points_clicks_wheels_and_drags(console: Open) -> None:
    async with console() as it:
        await settled(it)
        trace = it.app.scope.query_one(Trace)
        inside = trace.inside.offset
        dots = {(dot.lane, dot.layer): dot for dot in trace._scene.dots}
        wire, server = dots[0, "wire"], dots[3, "server"]
        at = (wire.x + inside.x, wire.y + inside.y)
        await it.pilot.hover(trace, offset=at)
        await it.frame()
        assert "610.0 µs after key  grpc wire" in it.text("timeline")
        await it.pilot.click(trace, offset=at)
        await it.pilot.click(trace, offset=(server.x + inside.x, server.y + inside.y), shift=True)
        await it.frame()
        lens = it.app.scope.lens
        assert lens.cursor is not None
        assert lens.second is not None
        assert (lens.cursor.t, lens.second.lane) == (wire.t, 3)
        assert it.app.scope.section() == (wire.t, server.t)
        await it.pilot.click(trace, offset=(inside.x + 4, server.y + inside.y))
        assert it.app.scope.selected == 3
        await it.press("l")
        before = it.app.scope.lens
        await it.pilot.mouse_down(trace, offset=(60, 5))
        await it.pilot.hover(trace, offset=(50, 5))
        await it.pilot.mouse_up(trace, offset=(50, 5))
        assert it.app.scope.lens.start == before.start + before.per_div
        assert it.app.scope.lens.cursor == before.cursor
        trace.post_message(Trace.Wheeled(1, 0))
        await it.frame()
        assert it.app.scope.lens.per_div < before.per_div


async def test_every_size_is_drawn_at_once_with_cursors_on(console: Open) -> None:
    for size in ((80, 24), (100, 30), (200, 60), (40, 12)):
        async with console(size=size) as it:
            await settled(it)
            await it.press("right_square_bracket", "v", "right_square_bracket", "w", "l", "plus")
            await it.pilot.resize_terminal(60, 20)
            await it.frame()
            assert "/div" in it.text("timeline")


async def test_two_cursors_are_the_section_that_a_loop_plays() -> None:
    async with replaying() as (app, pilot, _):
        await pilot.press("right_square_bracket", "right_square_bracket", "v", *["right_square_bracket"] * 5)
        section = app.scope.section()
        await pilot.press("b")
        part = app.scope.replay.player.part
        assert section is not None
        assert part is not None
        assert (part.loop, part.first, part.last) == (True, *section)
