"""Which line of a TOML file a key is on: ``tomllib`` does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Path = tuple[int | str, ...]
"""Keys, and numbers in arrays of tables from 0."""

_NAME = re.compile(r"""(["'])(.*?)\1|([^\s."']+)""")
_TEXTS = ('"""', "'''")


def line_of(text: str, path: Path) -> int:
    """The line of ``path``, or of the longest part of it that has a line of its own; 1 for none."""
    lines = dict(_keys(text))
    while path:
        if (found := lines.get(path)) is not None:
            return found
        path = path[:-1]
    return 1


def _keys(text: str) -> Iterator[tuple[Path, int]]:
    """(path, line) of each table header and each key."""
    table: Path = ()
    counts: dict[Path, int] = {}
    for number, line in _outside_of_texts(text):
        if line.startswith("[["):
            name = _within(_names(line.strip("[] ").partition("]")[0]), counts)
            counts[name] = counts.get(name, -1) + 1
            table = (*name, counts[name])
            yield table, number
        elif line.startswith("["):
            table = _within(_names(line.strip("[] ").partition("]")[0]), counts)
            yield table, number
        elif "=" in line and not line.startswith("#"):
            yield (*table, *_names(line.partition("=")[0])), number


def _outside_of_texts(text: str) -> Iterator[tuple[int, str]]:
    """(number, line) of the lines that do not begin within a text of several lines."""
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        plain = line.strip()
        if not inside:
            yield number, plain
            inside = next((quotes for quotes in _TEXTS if plain.count(quotes) % 2), "")
        elif inside in plain:
            inside = ""


def _within(name: Path, counts: Mapping[Path, int]) -> Path:
    """``[lanes.timeouts]`` belongs to the last of the ``[[lanes]]`` above it."""
    path: Path = name[:1]
    for part in name[1:]:
        path = (*path, counts[path], part) if path in counts else (*path, part)
    return path


def _names(key: str) -> Path:
    return tuple(quoted or bare for _, quoted, bare in _NAME.findall(key))
