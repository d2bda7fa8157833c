"""Four themes of our own, and which colour a role has.

One colour has one meaning: blue runs, amber has been told, orange-red stopped its bytes, green has cleaned up, and a
crimson block is work for nobody. The hues are those of Okabe and Ito (blue, orange-yellow, vermilion, bluish green),
moved until each has at least 4.5:1 against the ground; shapes say the same without colour. The colour-blind safe theme
gives up green and red for lightness: its five meanings stay apart for protan, deutan and tritan eyes.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="cancelloscope",
    primary="#58a6ff",
    secondary="#8fb3e0",
    accent="#ffc53d",
    warning="#ffc53d",
    error="#ff6b81",
    success="#34d399",
    foreground="#d7dde6",
    background="#0b0f14",
    surface="#0f141b",
    panel="#151c26",
    dark=True,
    variables={
        "scope-dim": "#8592a3",
        "scope-faint": "#263140",
        "scope-frame": "#34404f",
        "scope-title": "#8fb3e0",
        "scope-strong": "#ffffff",
        "scope-bar": "#151c26",
        "scope-running": "#4ba3ff",
        "scope-done": "#ffc53d",
        "scope-interrupt": "#ff7a45",
        "scope-cleanup": "#2fd6a0",
        "scope-zombie": "#c0224f",
        "scope-zombie-text": "#ffffff",
        "scope-alert": "#ff6b81",
        "scope-ink": "#0b0f14",
        "footer-key-foreground": "#ffc53d",
        "input-selection-background": "#58a6ff 35%",
    },
)

LIGHT = Theme(
    name="cancelloscope-light",
    primary="#0b5cad",
    secondary="#39577a",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#b3123d",
    success="#00694a",
    foreground="#1b232d",
    background="#fbfbf8",
    surface="#f2f2ee",
    panel="#e8e8e2",
    dark=False,
    variables={
        "scope-dim": "#5a6470",
        "scope-faint": "#d9dbd8",
        "scope-frame": "#b9bfc4",
        "scope-title": "#39577a",
        "scope-strong": "#000000",
        "scope-bar": "#e8e8e2",
        "scope-running": "#0b66c3",
        "scope-done": "#8a5a00",
        "scope-interrupt": "#b83800",
        "scope-cleanup": "#00694a",
        "scope-zombie": "#b3123d",
        "scope-zombie-text": "#ffffff",
        "scope-alert": "#b3123d",
        "scope-ink": "#ffffff",
    },
)

HIGH_CONTRAST = Theme(
    name="cancelloscope-high-contrast",
    primary="#8ab4ff",
    secondary="#ffffff",
    accent="#ffee00",
    warning="#ffee00",
    error="#f0a8c4",
    success="#6dff9d",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={
        "scope-dim": "#d0d0d0",
        "scope-faint": "#4a4a4a",
        "scope-frame": "#9a9a9a",
        "scope-title": "#ffffff",
        "scope-strong": "#ffffff",
        "scope-bar": "#1a1a1a",
        "scope-running": "#84a6f7",
        "scope-done": "#f5ff00",
        "scope-interrupt": "#ff8a40",
        "scope-cleanup": "#6dff9d",
        "scope-zombie": "#ff6f9c",
        "scope-zombie-text": "#000000",
        "scope-alert": "#e6a7c1",
        "scope-ink": "#000000",
        "footer-key-foreground": "#f5ff00",
        "input-selection-background": "#84a6f7 45%",
    },
)

COLOUR_BLIND = Theme(
    name="cancelloscope-colour-blind",
    primary="#7d75ff",
    secondary="#a9b4d8",
    accent="#fff21a",
    warning="#fff21a",
    error="#c279ad",
    success="#8affb8",
    foreground="#d7dde6",
    background="#0b0f14",
    surface="#0f141b",
    panel="#151c26",
    dark=True,
    variables={
        "scope-dim": "#8592a3",
        "scope-faint": "#263140",
        "scope-frame": "#34404f",
        "scope-title": "#a9b4d8",
        "scope-strong": "#ffffff",
        "scope-bar": "#151c26",
        "scope-running": "#7b72ff",
        "scope-done": "#fff61a",
        "scope-interrupt": "#e0601f",
        "scope-cleanup": "#8affb8",
        "scope-zombie": "#9d3f8b",
        "scope-zombie-text": "#ffffff",
        "scope-alert": "#bd75aa",
        "scope-ink": "#0b0f14",
        "footer-key-foreground": "#fff61a",
        "input-selection-background": "#7b72ff 35%",
    },
)

THEMES = (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND)

NAMES = {"dark": DARK, "light": LIGHT, "high-contrast": HIGH_CONTRAST, "colour-blind": COLOUR_BLIND}
"""How they are called on the command line."""


def after(name: str) -> str:
    """The name of the theme that follows the one called ``name``; the first one where that is none of ours."""
    names = [theme.name for theme in THEMES]
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


def short(name: str) -> str:
    """``name`` as on the command line."""
    return next((word for word, theme in NAMES.items() if theme.name == name), name)


_FALLBACK = {
    "scope-dim": "text-muted",
    "scope-faint": "surface-lighten-1",
    "scope-frame": "surface-lighten-2",
    "scope-title": "secondary",
    "scope-strong": "foreground",
    "scope-bar": "panel",
    "scope-running": "primary",
    "scope-done": "warning",
    "scope-interrupt": "accent",
    "scope-cleanup": "success",
    "scope-zombie": "error-darken-2",
    "scope-zombie-text": "foreground",
    "scope-alert": "error",
    "scope-ink": "background",
}


def variables(theme: dict[str, str]) -> dict[str, str]:
    """``theme``'s variables, with ours filled in from its own colours where it is not one of our themes."""
    missing = {name: theme.get(other, theme["foreground"]) for name, other in _FALLBACK.items() if name not in theme}
    return theme | missing
