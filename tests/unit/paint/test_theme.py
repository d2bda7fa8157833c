"""What has to be read can be read: contrast by WCAG 2.1, and no two meanings share a colour."""

from __future__ import annotations

import pytest
from textual.color import Color
from textual.theme import Theme

from app.theme import THEMES, variables

MEANINGS = ("scope-running", "scope-done", "scope-interrupt", "scope-cleanup", "scope-alert")


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [part / 255 for part in Color.parse(colour).rgb]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("name", [*MEANINGS, "scope-dim", "scope-title", "scope-strong"])
def test_every_text_stands_off_the_ground(theme: Theme, name: str) -> None:
    assert theme.background is not None
    for ground in (theme.background, theme.variables["scope-bar"]):
        assert contrast(ground, theme.variables[name]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
@pytest.mark.parametrize("name", ["scope-running", "scope-done", "scope-cleanup", "scope-strong"])
def test_what_is_lit_can_be_read(theme: Theme, name: str) -> None:
    assert contrast(theme.variables[name], theme.variables["scope-ink"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_a_zombies_words_can_be_read(theme: Theme) -> None:
    assert contrast(theme.variables["scope-zombie"], theme.variables["scope-zombie-text"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_one_colour_has_one_meaning(theme: Theme) -> None:
    assert len({theme.variables[name] for name in MEANINGS}) == len(MEANINGS)


def test_a_theme_of_somebody_elses_gets_ours_from_its_own() -> None:
    other = {"foreground": "#ffffff", "primary": "#0000ff", "warning": "#ffff00"}
    filled = variables(other)
    assert filled["scope-running"] == "#0000ff"
    assert filled["scope-cleanup"] == "#ffffff"
    assert filled | other == filled
