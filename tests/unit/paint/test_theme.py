"""What has to be read can be read: contrast by WCAG 2.1, and no two meanings share a colour, whatever eyes look."""

from __future__ import annotations

from itertools import combinations

import pytest
from textual.color import Color
from textual.theme import Theme

from app.theme import COLOUR_BLIND, HIGH_CONTRAST, NAMES, THEMES, after, variables

MEANINGS = ("scope-running", "scope-done", "scope-interrupt", "scope-cleanup", "scope-alert")
TEXTS = (*MEANINGS, "scope-dim", "scope-title", "scope-strong")

EYES = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""What eyes without one kind of cone see of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1."""

Triple = tuple[float, ...]


def linear(colour: str) -> Triple:
    parts = [part / 255 for part in Color.parse(colour).rgb]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: str, eyes: str) -> Triple:
    """CIE L*a*b* (D65) of what such eyes see."""
    rgb = linear(colour)
    if eyes in EYES:
        rgb = tuple(min(1.0, max(0.0, sum(a * b for a, b in zip(row, rgb, strict=True)))) for row in EYES[eyes])
    red, green, blue = rgb
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089
    fx, fy, fz = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: str, other: str, eyes: str) -> float:
    """CIE76: two is the least that can be told side by side."""
    pairs = zip(seen(one, eyes), seen(other, eyes), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def grounds(theme: Theme) -> list[str]:
    """The screen, a dialog, the first and the last line."""
    assert theme.background is not None
    assert theme.surface is not None
    return [theme.background, theme.surface, theme.variables["scope-bar"]]


every_theme = pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)


@every_theme
def test_every_text_stands_off_every_ground(theme: Theme) -> None:
    least = 7.0 if theme is HIGH_CONTRAST else 4.5
    colours = [theme.foreground or "", *(theme.variables[name] for name in TEXTS)]
    assert [(c, g) for c in colours for g in grounds(theme) if contrast(c, g) < least] == []


@every_theme
def test_words_on_a_lit_ground_can_be_read(theme: Theme) -> None:
    least = 7.0 if theme is HIGH_CONTRAST else 4.5
    ink = theme.variables["scope-ink"]
    assert [name for name in (*MEANINGS, "scope-strong") if contrast(theme.variables[name], ink) < least] == []
    assert contrast(theme.variables["scope-zombie"], theme.variables["scope-zombie-text"]) >= least


@every_theme
def test_a_zombies_block_stands_off_the_ground(theme: Theme) -> None:
    assert contrast(theme.variables["scope-zombie"], grounds(theme)[0]) >= 3.0


@every_theme
def test_one_colour_has_one_meaning(theme: Theme) -> None:
    pairs = combinations(MEANINGS, 2)
    assert all(distance(theme.variables[a], theme.variables[b], "all cones") >= 30 for a, b in pairs)


@pytest.mark.parametrize("theme", [COLOUR_BLIND, HIGH_CONTRAST], ids=lambda theme: theme.name)
@pytest.mark.parametrize("eyes", EYES)
def test_meanings_stay_apart_for_eyes_that_lack_a_cone(theme: Theme, eyes: str) -> None:
    least = 40 if theme is COLOUR_BLIND else 30
    pairs = combinations(MEANINGS, 2)
    near = {(a, b): distance(theme.variables[a], theme.variables[b], eyes) for a, b in pairs}
    assert {pair: apart for pair, apart in near.items() if apart < least} == {}


def test_the_themes_follow_one_another_in_a_ring() -> None:
    name, met = THEMES[0].name, []
    for _ in NAMES:
        met.append(name)
        name = after(name)
    assert (name, len(set(met))) == (THEMES[0].name, len(THEMES))
    assert after("gruvbox") == THEMES[0].name


def test_a_theme_of_somebody_elses_gets_ours_from_its_own() -> None:
    other = {"foreground": "#ffffff", "primary": "#0000ff", "warning": "#ffff00"}
    filled = variables(other)
    assert filled["scope-running"] == "#0000ff"
    assert filled["scope-cleanup"] == "#ffffff"
    assert filled | other == filled
