"""Text as data: nothing in it is obeyed, and it is cut to the cells that there are."""

from __future__ import annotations

from rich.cells import cell_len

ELLIPSIS = "…"


def plain(text: str) -> str:
    """``text`` with control characters, direction overrides and combining marks spelt out, on one line."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _shown(char) else repr(char)[1:-1] if not char.isprintable() else "·" for char in text)


def _shown(char: str) -> bool:
    return char.isprintable() and cell_len(char) > 0


def width(text: str) -> int:
    """Cells."""
    return len(text) if text.isascii() else cell_len(text)


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


def first_that_fits(cells: int, *texts: str) -> str:
    """The first of ``texts`` (longest first) that fits whole, or else the last one cut."""
    return next((text for text in texts if width(text) <= cells), fit(texts[-1], cells))
