"""Keys of one's own: a TOML file that names actions of ``app.actions`` and says which keys they have.

What is not named keeps its key. Anything that would make a key silent or double is an error of one line.
"""

from __future__ import annotations

import difflib
import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from textual.keys import Keys, _character_to_key, key_to_character

from app.actions import ACTIONS, Action, Place, actions
from app.paths import user_dir

KEEP = ("escape",)
"""Keys that stay what they are: escape leaves, and cancels nothing."""
TAKEN = ("ctrl+c", "ctrl+q", "ctrl+p")
"""Textual's own: quit, and the palette."""
TYPED = ("scenarios", "faults")
"""Where letters are what is typed, or a fault's own."""
_MODIFIERS = {"ctrl", "alt", "shift", "super", "meta", "hyper"}
_BY_KEY = {_character_to_key(char): char for char in string.punctuation}
"""Characters by the names that Textual gives their keys, some of which are not Unicode's."""
_NAMED = {key.value for key in Keys} | set(_BY_KEY)


class KeymapError(ValueError):
    """One line: file, line, what is wrong, and what would be right."""


@dataclass(frozen=True, slots=True)
class Keymap:
    """``changed``: Textual's names of keys, by ``Action.id``."""

    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def keys(self, action: Action) -> tuple[str, ...]:
        """Every key that does it; those that cannot be changed stay."""
        default = tuple(action.keys.split(","))
        if action.id not in self.changed:
            return default
        return (*self.changed[action.id], *(key for key in default if key in KEEP))

    def shown(self, action: Action) -> str:
        """Its key as it is written in footer and help; where several actions share a line, each one's first key."""
        alike = [each for each in ACTIONS if (each.places, each.shown) == (action.places, action.shown)]
        if not any(each.id in self.changed for each in alike):
            return action.shown
        return " ".join(dict.fromkeys(self.first(each) for each in alike))

    def first(self, action: Action) -> str:
        """One key that does it, as it is written."""
        return _word(self.keys(action)[0])

    def for_textual(self) -> dict[str, str]:
        found = {action.id: action for action in ACTIONS}
        return {name: ",".join(self.keys(found[name])) for name in self.changed}


DEFAULT = Keymap()


def _letter(key: str) -> str:
    """What the key types; empty where that is nothing to be seen."""
    char = _BY_KEY.get(key) or key_to_character(key) or ""
    return char if char.isprintable() and char != " " else ""


def _word(key: str) -> str:
    return _letter(key) or key


def user_file() -> Path:
    """Where somebody's own keys are, if there are any."""
    return user_dir() / "keymap.toml"


def load(path: Path | None = None) -> Keymap:
    """The keys of ``path``; None: of one's own file, where there is one. Raises KeymapError."""
    if path is None and not user_file().exists():
        return DEFAULT
    path = path or user_file()
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError:
        raise KeymapError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise KeymapError(f"{path}: {error.strerror or error}") from None


def parse(text: str, file: str) -> Keymap:
    """Check ``text``; ``file`` is named in errors. Raises KeymapError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KeymapError(f"{file}: {error}") from None
    lines, changed = _lines(text), {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise KeymapError(f"{file}: {section!r} stands in no section: write it under one, like [live]")
        for name, value in table.items():
            where = f"{file}, line {lines.get((section, name), 0)}"
            action = _action(section, name, where)
            changed[action.id] = tuple(_keys(value, action, where))
    keymap = Keymap(changed)
    _check_once(keymap, {f"{section}.{name}": f"{file}, line {line}" for (section, name), line in lines.items()})
    return keymap


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line in which each name stands, by section and name."""
    section, found = "", {}
    for number, line in enumerate(text.splitlines(), start=1):
        if match := re.match(r"\s*\[([^\]]+)\]", line):
            section = match[1].strip().strip("\"'")
        elif match := re.match(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([\w-]+))\s*=", line):
            found[section, match[1] or match[2] or match[3]] = number
    return found


def _action(section: str, name: str, where: str) -> Action:
    known = {action.id: action for action in ACTIONS}
    if f"{section}.{name}" in known:
        return known[f"{section}.{name}"]
    sections = {action.section for action in ACTIONS}
    if section not in sections:
        raise KeymapError(f"{where}: there is no section [{section}]: they are {', '.join(sorted(sections))}")
    elsewhere = [action.section for action in ACTIONS if action.name == name]
    near = difflib.get_close_matches(name, [each.name for each in ACTIONS if each.section == section], n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else "config/keymap.toml has all of them"
    hint = f"it belongs into [{elsewhere[0]}]" if elsewhere else hint
    raise KeymapError(f"{where}: [{section}] has no action {name!r}: {hint}")


def _keys(value: object, action: Action, where: str) -> Iterator[str]:
    """Textual's names for what somebody wrote: a key, or a list of keys."""
    words = value if isinstance(value, list) else [value]
    if not words:
        raise KeymapError(f"{where}: {action.name!r} has no key: leave the line out to keep {action.keys!r}")
    for word in words:
        if not isinstance(word, str):
            raise KeymapError(f'{where}: {word!r} is no key: write "k", "f5", "ctrl+k", or a list of such')
        yield from _key(word, action, where)


def _key(word: str, action: Action, where: str) -> Iterator[str]:
    *modifiers, base = [word] if len(word) == 1 else word.lower().split("+")
    if base == "esc":
        base = "escape"
    if len(base) == 1:
        base = _character_to_key(base)
    key = "+".join((*modifiers, base))
    if base in KEEP:
        raise KeymapError(f"{where}: escape closes dialogs and cannot be given to {action.name!r}: choose another key")
    if key in TAKEN:
        raise KeymapError(f"{where}: {key} is the terminal's or the palette's: choose another key")
    known = base in _NAMED or key_to_character(base) is not None
    if not known or not set(modifiers) <= _MODIFIERS:
        raise KeymapError(f'{where}: there is no key {word!r}: write "k", "f5", "pageup", "ctrl+k"')
    if action.section in TYPED and not modifiers and _letter(base):
        raise KeymapError(f"{where}: letters are typed there: choose a key like f5 or ctrl+k for {action.name!r}")
    yield key
    if not modifiers and len(base) == 1 and base.isupper():
        # Some terminals say it like this.
        yield f"shift+{base.lower()}"


def _check_once(keymap: Keymap, where: Mapping[str, str]) -> None:
    """Raises KeymapError where one key would do two things on one screen."""
    for place in get_args(Place):
        owner: dict[str, Action] = {}
        for action in (*actions(place), *actions("anywhere")):
            for key in keymap.keys(action):
                other = owner.setdefault(key, action)
                if other.name == action.name:
                    continue
                mine, rest = (action, other) if action.id in keymap.changed else (other, action)
                raise KeymapError(
                    f"{where.get(mine.id, mine.id)}: {_word(key)} is given twice, to {mine.name!r} and to "
                    f"{rest.name!r} of [{rest.section}]: give one of them another key"
                )


def default_file() -> str:
    """config/keymap.toml: every action with its key, to copy from."""
    lines = [
        "# The keys of the console, as they are. Copy what you want to change into a file of your own (`cancelloscope",
        "# doctor` says where it is looked for), or name one with --keymap FILE. What is not named keeps its key; esc",
        "# stays what it is. Several keys: a list. Made from app/actions.py: `make docs`.",
    ]
    sections = dict.fromkeys(action.section for action in ACTIONS)
    for section in sections:
        lines += ["", f"[{section}]"]
        for action in ACTIONS:
            keys = [key for key in action.keys.split(",") if key not in KEEP and not re.fullmatch(r"shift\+\w", key)]
            if action.section == section and keys:
                lines.append(f"{_name(action.name)} = {_value([_word(key) for key in keys])}  # {action.help}")
    return "\n".join(lines) + "\n"


def _name(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'


def _value(words: list[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
