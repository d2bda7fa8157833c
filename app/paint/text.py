"""Text as data: nothing in it is obeyed, and it is cut to the cells that there are."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len

ELLIPSIS = "…"


def plain(text: str) -> str:
    """``text`` with control characters, direction overrides and combining marks spelt out, on one line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shown(char) else repr(char)[1:-1] if not char.isprintable() else "·" for char in text)


def _shown(char: str) -> bool:
    return char.isprintable() and cell_len(char) > 0


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str, ...]:
    """``text`` cell by cell: a character that is two cells wide is followed by an empty string."""
    cells: list[str] = []
    for char in text:
        cells.append(char)
        cells.extend([""] * (cell_len(char) - 1))
    return tuple(cells)


def width(text: str) -> int:
    """Cells."""
    return len(text) if text.isascii() else len(split(text))


def fit(text: str, cells: int) -> str:
    """``text`` in at most ``cells`` cells, ended by … where it was cut."""
    if width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    kept, used = [], 1
    for char in text:
        used += width(char)
        if used > cells:
            break
        kept.append(char)
    return "".join(kept).rstrip() + ELLIPSIS


def wrap(text: str, cells: int) -> list[str]:
    """``text`` in lines of at most ``cells`` cells, broken between words where there are any."""
    lines: list[str] = []
    # A panel of no width asks for less than one: then a letter is a line, and there is an end to it.
    cells = max(1, cells)
    while text:
        line = _first_line(text, cells)
        text = text[len(line) :].lstrip()
        lines.append(line)
    return lines


def _first_line(text: str, cells: int) -> str:
    if width(text) <= cells:
        return text
    # With the blanks it is always too wide, also where it is so by one cell only.
    line = fit(f"{text}  ", cells + 1).removesuffix(ELLIPSIS) or text[0]
    space = line.rfind(" ")
    return line if space < max(1, cells // 2) or text[len(line)] == " " else line[:space]


def first_that_fits(cells: int, *texts: str) -> str:
    """The first of ``texts`` (longest first) that fits whole, or else the last one cut."""
    return next((text for text in texts if width(text) <= cells), fit(texts[-1], cells))
