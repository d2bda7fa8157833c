"""What is the same on every screen: themes, keys of one's own, the log, and terminals of any size."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import theme
from app.cli import cli
from app.console import CancelloscopeApp, Look
from app.preferences import remember_theme, remembered_theme
from tests.kit import console_kit as kit
from tests.kit.console_kit import ManualClock, RecordingHandle
from tests.pilot.conftest import Open


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
        RecordingHandle, kit.settings(), look=Look("light", told.append), clock=ManualClock(), ticker=False
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
