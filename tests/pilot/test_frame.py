"""What is the same on every screen: themes, keys of one's own, the log, and terminals of any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import App

from app import theme
from app.cli import cli
from app.console import CancelloscopeApp, Look, ReplayApp
from app.keymap import parse
from app.lesson import Lesson
from app.paths import scenario_files
from app.preferences import remember_theme, remembered_theme
from app.screens.log import LogScreen
from app.screens.pages import Reader
from app.widgets.panel import KeyLine, Panel
from probes import events as ev
from probes.replay import Player
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, RecordingHandle
from tests.pilot.conftest import Open, shown


async def test_ctrl_t_goes_through_the_themes_also_over_a_dialog(console: Open) -> None:
    async with console() as it:
        met = [it.app.theme]
        for key in ("", "question_mark", "", "escape"):
            await it.press(*filter(None, (key, "ctrl+t")))
            met.append(it.app.theme)
        assert met == [*(each.name for each in theme.THEMES), theme.THEMES[0].name]


async def test_a_theme_that_was_chosen_is_remembered_and_one_that_was_not_is_not(tmp_path: Path) -> None:
    told: list[str] = []
    app = CancelloscopeApp(
        RecordingHandle, kit.settings(), look=Look("light", remember=told.append), clock=ManualClock(), ticker=False
    )
    async with app.run_test() as pilot:
        await pilot.pause()
        assert (app.theme, told) == (theme.LIGHT.name, [])
        await pilot.press("ctrl+t")
        await pilot.pause()
    assert told == ["high-contrast"]
    assert remembered_theme(tmp_path / "none yet") == ""
    remember_theme(told[0], tmp_path / "new")
    assert remembered_theme(tmp_path / "new") == "high-contrast"


async def test_a_theme_that_is_not_there_any_more_is_the_first(tmp_path: Path) -> None:
    (tmp_path / "theme").write_bytes(b"\xff\n")
    assert remembered_theme(tmp_path) == ""
    app = CancelloscopeApp(RecordingHandle, kit.settings(), look=Look("sepia"), clock=ManualClock(), ticker=False)
    assert app.theme == theme.DARK.name


@pytest.mark.parametrize("command", ["console", "replay", "listen"])
def test_the_command_line_knows_every_theme(command: str) -> None:
    option = next(each for each in cli.commands[command].params if each.name == "theme")
    assert list(option.type.choices) == list(theme.NAMES)  # type: ignore[attr-defined]


async def test_the_log_follows_stands_still_and_shows_one_speaker(console: Open) -> None:
    async with console(size=(80, 24)) as it:
        told = kit.Told().ready()
        for number in range(60):
            told.emit(ev.ChildSaid, 20 * kit.SECOND, "servers", child="servers", text=f"line {number}")
        await it.say(told.events)
        await it.press("L")
        assert "line 59" in it.board()
        await it.press("end", "up", "k", "pageup")
        told.events.clear()
        told.emit(ev.ChildDied, 21 * kit.SECOND, child="servers", pid=4712, status="SIGKILL")
        await it.say(told.events)
        assert "line 59" not in it.board()
        await it.press("pagedown", "space", "down", "j")
        assert "died: SIGKILL" in it.board()
        await it.press("home")
        assert "started, pid 4712" in it.board()
        await it.press("right", "tab", "left", "shift+tab", "right")
        assert "[lab " in it.board()
        assert "died" not in it.board()
        for key in ("L", "q", "escape"):
            await it.press(key)
            assert not isinstance(it.app.screen, LogScreen)
            await it.press("L")


async def test_a_bad_word_is_told_in_the_status_line_until_the_log_was_looked_at(console: Open) -> None:
    async with console() as it:
        told = kit.Told().ready().emit(ev.ChildSaid, 20 * kit.SECOND, child="postgresql", text="PANIC: disk")
        await it.say(told.events)
        assert "! 1 in the log" in it.text("status")
        await it.press("L", "escape")
        assert "in the log" not in it.text("status")


async def test_keys_of_ones_own_do_what_they_are_for_and_the_old_ones_do_not() -> None:
    keys = parse('[live]\ncancel_all = ["k", "s"]\nscenarios = "c"\n"cancel_lane(2)" = "f2"\n', "mine.toml")
    app = CancelloscopeApp(RecordingHandle, kit.settings(), look=Look(keys=keys), clock=ManualClock(), ticker=False)
    async with app.run_test(size=(120, 36)) as pilot:
        app.on_events(list(kit.ready()))
        app.scope.draw()
        timeline = app.screen.query_one("#timeline", Panel)
        assert "k to cancel it" in shown(timeline)
        app.on_events([event for event in kit.running() if event.run])
        app.scope.draw()
        await pilot.press("k", "2", "f2", "s", "c")
        assert isinstance(app.handle, RecordingHandle)
        lanes = [command.lane for command in app.handle.sent]  # type: ignore[union-attr]
        assert lanes == ["", "http/1.1", ""]
        assert "k cancel all" in app.screen.query_one(KeyLine).render_line(0).text


@pytest.mark.parametrize(
    ("size", "words"),
    [((59, 24), "this terminal is 59x24: 60x18 is needed"), ((80, 17), "80x17"), ((20, 5), "60x18"), ((5, 2), "")],
)
async def test_a_terminal_that_is_too_small_says_so_and_recovers(
    console: Open, size: tuple[int, int], words: str
) -> None:
    async with console() as it:
        await it.say(kit.settled(), kit.Told().zero)
        await it.pilot.resize_terminal(*size)
        await it.frame()
        assert words in it.text("small")
        assert not it.app.screen.query_one("#status").display
        await it.pilot.resize_terminal(60, 18)
        await it.frame()
        assert "LIVE" in it.text("status")
        assert not it.app.screen.query_one("#small").display
        assert "zombie" in it.text("timeline")


LESSON = Lesson("Who goes on?", ("nobody", "HTTP/2"), 1, "It was never told.", "Ask first.", "https://example.org/1")


def page(app: App[None]) -> str:
    reader = app.screen.query_one(Reader)
    return "\n".join(reader.render_line(y).text for y in range(reader.size.height))


async def test_the_question_comes_first_and_the_answer_on_demand_or_after_the_run(console: Open) -> None:
    async with console(size=(80, 24), plan=replace(kit.settings(), lesson=LESSON)) as it:
        await it.say(kit.ready())
        await it.press("n")
        assert "Who goes on?" in page(it.app)
        assert "It was never told" not in page(it.app)
        assert "▸" not in page(it.app)
        await it.press("p")
        assert "Ask first." in page(it.app)
        await it.press("p", "enter")
        assert "▸ b  HTTP/2" in page(it.app)
        assert "Ask first." not in page(it.app)
        await it.press("n")
        await it.say([event for event in kit.settled() if event.run], kit.Told().zero)
        await it.press("n")
        assert "It was never told" in page(it.app)
        await it.press("q")
        assert it.handle.sent == []


async def test_a_scenario_that_teaches_nothing_says_so(console: Open) -> None:
    async with console() as it:
        await it.press("n")
        assert [notice.message for notice in it.app._notifications] == ["this scenario asks nothing and has no notes"]


async def test_a_replay_finds_the_lesson_in_its_header() -> None:
    text = (scenario_files()["one-scope"]).read_text(encoding="utf-8").replace("All four callers", "Which callers")
    player = Player(kit.settled(), header={"scenarios": {"one-scope": text}})
    player.seek(player.end)
    app = ReplayApp(player, None, clock=ManualClock(0), ticker=False)
    async with app.run_test(size=(80, 24)) as pilot:
        app.scope.draw()
        await pilot.press("n")
        assert "Which callers got" in page(app)
        assert "▸ d  behind HTTP/2" in page(app)


async def test_without_colours_everything_is_told_by_shapes(console: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {}
    for plain in (False, True):
        if plain:
            monkeypatch.setenv("NO_COLOR", "1")
        async with console() as it:
            assert it.app.no_color is plain
            await it.say(kit.settled(), kit.Told().zero)
            texts[plain] = [it.text(name) for name in ("status", "timeline", "scoreboard", "machine")]
    assert texts[True] == texts[False]
    status, timeline, board, _ = texts[True]
    assert "LIVE" in status
    assert timeline.count("◆") >= 8
    assert timeline.count("■") == 4
    assert timeline.count("◇") == 1
    assert "▒" in next(row for row in timeline.splitlines() if "zombie" in row)
    assert all(word in timeline for word in ("nothing seen", "still held", "▾", "▌"))
    assert all(word in board for word in ("never", "clean", "zombie"))
