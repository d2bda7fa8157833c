"""Every key of the live screen, and what it may and may not do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from textual import events

from app import commands
from app.screens.confirm import ConfirmScreen
from app.screens.live import QUIET_NS, LiveScreen
from app.screens.log import LogScreen
from app.screens.pages import EvidenceScreen, HelpScreen
from app.screens.replay import ReplayScreen
from app.screens.timeouts import TimeoutsScreen
from probes import events as ev
from probes.record import RecordingError
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told
from tests.pilot.conftest import Open

ZERO = Told().zero


async def test_the_first_frame_is_there_before_the_lab_says_anything(console: Open) -> None:
    async with console() as it:
        assert it.handle.started == 1
        assert "The lab is starting" in it.text("timeline")
        assert "LIVE" in it.text("status")


async def test_the_parts_of_the_lab_come_up_one_by_one(console: Open) -> None:
    async with console() as it:
        await it.say(Told().starting("servers").events)
        assert "● servers      ready" in it.text("timeline")
        assert "starting postgresql" in it.text("status")
        await it.say(kit.ready())
        assert "Press enter" in it.text("timeline")
        assert "PostgreSQL 18.1" in it.text("status")


async def test_enter_starts_a_run_only_when_the_lab_is_ready(console: Open) -> None:
    async with console() as it:
        await it.press("enter")
        assert it.handle.sent == []
        await it.say(kit.ready())
        await it.press("enter")
        assert it.handle.sent == [kit.settings().to_start(1)]


async def test_a_run_that_was_asked_for_is_not_asked_for_twice(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await it.press("enter", "enter")
        assert len(it.handle.sent) == 1
        await it.say(Told().fired(kit.settings()).events)
        await it.press("enter")
        assert len(it.handle.sent) == 1


async def test_the_next_run_has_the_next_number(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO + 2_000_000_000)
        await it.press("enter")
        (start,) = it.handle.sent
        assert isinstance(start, commands.Start)
        assert start.run == 2


async def test_a_run_that_came_to_nothing_does_not_block_the_next(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await it.press("enter")
        told = Told()
        told.emit(ev.RunEnded, told.zero, run=1, outcome="aborted", detail="there is no lab")
        await it.say(told.events)
        assert "run 1 was not started: there is no lab" in it.text("timeline")
        await it.press("enter")
        assert [command.run for command in it.handle.sent if isinstance(command, commands.Start)] == [1, 2]


async def test_c_cancels_all_lanes_and_says_when_the_key_went_down(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        before = time.monotonic_ns()
        await it.press("c")
        (cancel,) = it.handle.sent
        assert isinstance(cancel, commands.Cancel)
        assert (cancel.lane, cancel.cause) == ("", "key")
        assert before <= cancel.key_ns <= time.monotonic_ns()


async def test_nothing_is_drawn_for_a_while_after_a_cancel(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        before = it.text("timeline")
        await it.press("c")
        it.app.on_events([event for event in kit.cancelled() if event.t >= ZERO])
        it.clock.now = ZERO + QUIET_NS - 1
        await it.frame()
        assert it.text("timeline") == before
        it.clock.now = ZERO + QUIET_NS
        await it.frame()
        assert "RST_STREAM" in it.text("timeline")


async def test_a_number_cancels_its_lane_alone(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("3", "9")
        assert [(type(command).__name__, command.lane) for command in it.handle.sent] == [("Cancel", "http/2")]  # type: ignore[union-attr]


@pytest.mark.parametrize("keys", [("c",), ("1",), ("c", "4")])
async def test_without_an_open_run_there_is_nothing_to_cancel(console: Open, keys: tuple[str, ...]) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.press(*keys)
        assert it.handle.sent == []


async def test_escape_never_cancels_and_never_quits(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("escape", "escape")
        assert it.handle.sent == []
        assert it.app.is_running


@pytest.mark.parametrize(
    ("key", "screen"),
    [("question_mark", HelpScreen), ("L", LogScreen), ("e", EvidenceScreen), ("q", ConfirmScreen)],
)
async def test_escape_closes_a_dialog_and_no_key_in_it_cancels(console: Open, key: str, screen: type) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press(key)
        assert isinstance(it.app.screen, screen)
        await it.press("c", "2")
        await it.press("escape")
        assert isinstance(it.app.screen, LiveScreen)
        assert it.handle.sent == []


async def test_up_down_and_tab_move_the_selection_and_it_wraps(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        for key, name in (("down", "2 http/1.1"), ("tab", "3 http/2"), ("up", "2 http/1.1"), ("shift+tab", "1 grpc")):
            await it.press(key)
            assert f"machine · {name}" in it.text("machine")
        await it.press("up")
        assert "machine · 4 postgres" in it.text("machine")


async def test_m_hides_and_shows_the_panels_at_the_side(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        assert not it.app.screen.query_one("#side").display
        await it.press("m")
        assert it.app.screen.query_one("#side").display
        await it.press("m")
        assert not it.app.screen.query_one("#side").display


async def test_r_starts_and_stops_a_recording(console: Open, tmp_path: Path) -> None:
    async with console() as it:
        await it.press("r")
        assert it.handle.recording == tmp_path / "session.jsonl"
        assert "● REC" in it.text("status")
        assert "stop recording" in it.text("keys")
        await it.press("r")
        assert it.handle.recording is None
        assert it.app.source.recordings == [str(tmp_path / "session.jsonl")]
        assert "REC" not in it.text("status")


async def test_a_recording_that_ended_by_itself_is_not_shown_as_one(console: Open) -> None:
    async with console() as it:
        await it.press("r")
        it.handle.recording = None
        await it.say(kit.ready())
        assert "REC" not in it.text("status")


async def test_a_recording_that_failed_says_why(console: Open) -> None:
    async with console() as it:
        await it.press("r")
        it.handle.recording, it.handle.recording_error = None, "session.jsonl: No space left on device"
        await it.say(kit.ready())
        assert [notice.message for notice in it.app._notifications][-1] == "session.jsonl: No space left on device"


@pytest.mark.parametrize("error", [RecordingError("session.jsonl is there already"), PermissionError("not yours")])
async def test_a_recording_that_cannot_begin_says_why(
    console: Open, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async with console() as it:

        def refuse(path: Path | None, *, overwrite: bool = False) -> Path:
            raise error

        monkeypatch.setattr(it.handle, "start_recording", refuse)
        await it.press("r")
        assert [notice.message for notice in it.app._notifications] == [str(error)]
        assert "REC" not in it.text("status")


async def test_capital_r_replays_what_happened_so_far(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        await it.press("R")
        assert isinstance(it.app.screen, LiveScreen)
        await it.say([event for event in kit.settled() if event.run], ZERO)
        await it.press("R")
        assert isinstance(it.app.screen, ReplayScreen)
        it.app.screen.draw()
        assert "REPLAY" in it.text("status")
        assert it.app.screen.source.now == ZERO
        await it.press("q")
        assert isinstance(it.app.screen, LiveScreen)


async def test_q_quits_when_no_run_is_open(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        await it.pilot.press("q")
        assert it.app._exit


async def test_q_asks_while_a_run_is_open(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("q")
        assert isinstance(it.app.screen, ConfirmScreen)
        await it.press("n")
        assert not it.app._exit
        await it.press("q")
        await it.pilot.press("y")
        assert it.app._exit


async def test_the_footer_offers_what_can_be_done_now(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        assert "enter start" in it.text("keys")
        assert "cancel all" not in it.text("keys")
        await it.say([event for event in kit.running() if event.run], ZERO)
        assert "c cancel all" in it.text("keys")
        assert "enter start" not in it.text("keys")


async def test_a_click_on_a_key_does_what_the_key_does(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        column = it.text("keys").index("enter")
        assert await it.pilot.click("#keys", offset=(column + 1, 0))
        await it.frame()
        assert it.handle.sent == [kit.settings().to_start(1)]


async def test_the_palette_has_the_actions_that_can_be_done(console: Open) -> None:
    async with console() as it:
        await it.say(kit.ready())
        titles = [command.title for command in it.app.get_system_commands(it.app.screen)]
        assert "start (enter)" in titles
        assert "theme (ctrl+t)" in titles
        assert "cancel all (c)" not in titles
        assert len(set(titles)) == len(titles)
        assert all(command.help for command in it.app.get_system_commands(it.app.screen))


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60), (60, 12), (30, 5)])
async def test_it_can_be_resized_at_any_moment(console: Open, size: tuple[int, int]) -> None:
    async with console() as it:
        for happened, now in ((kit.ready(), 0), ([each for each in kit.settled() if each.run], ZERO)):
            await it.say(happened, now)
            await it.pilot.resize_terminal(*size)
            await it.frame()
            await it.pilot.resize_terminal(120, 36)
            await it.frame()
        assert "nothing seen" in it.text("timeline")


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 36), (200, 60)])
async def test_no_size_loses_meaning(console: Open, size: tuple[int, int]) -> None:
    async with console(size=size) as it:
        await it.say(kit.settled(), ZERO)
        timeline, board = it.text("timeline"), it.text("scoreboard")
        assert timeline.count("■") == 4
        assert "nothing seen" in timeline
        assert "zombie > 1.0 s" in timeline
        assert all(name in board for name in kit.LANES)
        assert "never" in board


async def test_nothing_is_painted_again_when_nothing_changed(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        timeline = it.app.screen.query_one("#timeline")
        before = timeline._strips  # type: ignore[attr-defined]
        it.app.scope.draw()
        assert timeline._strips is before  # type: ignore[attr-defined]


async def test_the_key_of_a_text_is_no_markup(console: Open) -> None:
    plan = kit.settings()
    told = Told().ready()
    told.emit(ev.Note, told.zero, text="[/bold] \x1b[2J [link=x]")
    async with console(plan=plan) as it:
        await it.say(told.events)
        await it.press("L")
        assert "[/bold] \\x1b[2J [link=x]" in it.board()


async def test_another_theme_colours_everything_anew(console: Open) -> None:
    async with console() as it:
        await it.say(kit.settled(), ZERO)
        panel = it.app.screen.query_one("#timeline")
        dark = panel.render_line(1)
        for theme in ("cancelloscope-light", "textual-dark", "gruvbox"):
            it.app.theme = theme
            await it.frame()
            assert panel.render_line(1).text == dark.text
            assert panel.render_line(1) != dark


async def test_the_quiet_time_ends_by_the_clock_not_by_events(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        it.app.post_message(events.Key("c", "c"))
        await it.pilot.pause()
        assert len(it.handle.sent) == 1
        it.clock.now += 2 * QUIET_NS
        await it.frame()
        assert "armed" in it.text("timeline")


async def test_timeouts_are_set_between_runs_only(console: Open) -> None:
    async with console() as it:
        await it.say(kit.running(), ZERO)
        await it.press("t")
        assert isinstance(it.app.screen, LiveScreen)
        await it.say([event for event in kit.settled() if event.t >= ZERO])
        await it.press("t")
        assert isinstance(it.app.screen, TimeoutsScreen)
