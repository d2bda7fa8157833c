"""The chooser of scenarios: what was typed, what was found group by group, and all about the one that is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.chooser import Choosing, Item
from app.paint.canvas import Canvas, Role
from app.paint.plans import paint_plans
from app.paint.status import put_hints
from app.paint.text import fit, plain, wrap
from app.paint.view import Hint

_SIDE_BY_SIDE = 94
"""From so many columns on the list and what is looked at stand side by side."""
_TOP = 2


def title(state: Choosing) -> tuple[str, str]:
    return "scenarios", f"{len(state.items)} of {state.known}" if state.text else str(state.known)


def paint_chooser(state: Choosing, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    canvas = Canvas(columns, rows)
    _paint_text(canvas, state)
    bottom = rows - 1
    put_hints(canvas, bottom, hints)
    if columns >= _SIDE_BY_SIDE:
        middle = max(38, min(56, columns * 2 // 5))
        paint_list(canvas, state, middle - 1, _TOP, bottom - 1)
        for y in range(_TOP - 1, bottom):
            canvas.put(middle, y, "│", Role.FRAME)
        _paint_item(canvas, middle + 2, _TOP, state.item, bottom - 1)
    else:
        about = min(_height(state.item, columns - 2), max(5, rows // 2 + 1))
        split = max(_TOP + 2, bottom - about - 1)
        paint_list(canvas, state, columns, _TOP - 1, split)
        canvas.fill(0, columns, split, "─", Role.FRAME)
        _paint_item(canvas, 1, split + 1, state.item, bottom)
    return canvas


def _paint_text(canvas: Canvas, state: Choosing) -> None:
    end = canvas.put(1, 0, "find ", Role.DIM)
    if state.text:
        text = plain(state.text)
        # The end of a long path is the part that is being typed.
        end = canvas.put(end, 0, text[-max(1, canvas.columns - end - 2) :], Role.STRONG)
    canvas.put(end, 0, "▏", Role.KEY)
    if not state.text:
        canvas.put(end + 1, 0, fit("words, or the path of a .toml file", canvas.columns - end - 1), Role.DIM)


# --- the list -----------------------------------------------------------------------------------------


def _lines(items: Sequence[Item]) -> Iterator[tuple[int, str]]:
    """(number of the item or -1, heading) for each line."""
    group = ""
    for index, item in enumerate(items):
        if item.group != group:
            group = item.group
            yield -1, group
        yield index, ""


def line_at(state: Choosing, row: int, rows: int) -> int | None:
    """The number of the item that stands in ``row`` of a list of ``rows``; None for a heading or nothing."""
    shown = _window(state, rows)
    return shown[row][0] if row < len(shown) and shown[row][0] >= 0 else None


def _window(state: Choosing, rows: int) -> list[tuple[int, str]]:
    """The lines that are seen: the chosen one is among them, and about it as much above as below."""
    lines = list(_lines(state.items))
    chosen = next((y for y, (index, _) in enumerate(lines) if index == state.index), 0)
    top = max(0, min(chosen - rows // 2, len(lines) - rows))
    return lines[top : top + rows]


def paint_list(canvas: Canvas, state: Choosing, end: int, y: int, bottom: int) -> None:
    """From row ``y`` up to ``bottom``, in the columns up to ``end``."""
    if not state.items:
        canvas.put(1, y, fit("nothing is found", end - 1), Role.DIM)
    for line, (index, heading) in enumerate(_window(state, bottom - y)):
        if index < 0:
            canvas.put(1, y + line, fit(heading, end - 1), Role.TITLE)
            continue
        item = state.items[index]
        chosen = index == state.index
        if chosen:
            canvas.put(0, y + line, "▌", Role.SELECTED)
        role = Role.ALERT if item.problem else Role.STRONG if chosen else Role.TEXT
        after = canvas.put(3, y + line, fit(plain(item.title), end - 4), role)
        _paint_name(canvas, y + line, item, after, end)


def _paint_name(canvas: Canvas, y: int, item: Item, after: int, end: int) -> None:
    """How it is called on the command line, where there is room for that as well."""
    name = plain(item.name)
    if item.name != item.title and after + len(name) + 2 <= end:
        canvas.right(end, y, name, Role.DIM)


# --- what is looked at --------------------------------------------------------------------------------


def _height(item: Item | None, columns: int) -> int:
    """Rows with which nothing of it is lost."""
    sheet = Canvas(columns, 200)
    return _paint_item(sheet, 1, 0, item, 200)


def _paint_item(canvas: Canvas, x: int, y: int, item: Item | None, bottom: int) -> int:
    """Everything about it, from row ``y`` on and above ``bottom``; returns the row after it."""
    if item is None:
        return y
    room = canvas.columns - x - 1
    sheet = Canvas(room, max(0, bottom - y))
    row = _paint_head(sheet, item)
    if item.problem:
        row = _paint_text_block(sheet, row, item.problem, Role.ALERT)
    else:
        row = paint_plans(sheet, 0, row + 1, item.lanes, room) + 1
        for word, value in item.facts:
            sheet.put(0, row, word, Role.DIM)
            sheet.put(14, row, fit(plain(value), room - 14), Role.TEXT)
            row += 1
    canvas.paste(sheet, x, y)
    return y + row


def _paint_head(sheet: Canvas, item: Item) -> int:
    row = _paint_text_block(sheet, 0, item.title, Role.STRONG)
    if item.name != item.title:
        sheet.put(0, row, fit(plain(item.name), sheet.columns), Role.DIM)
        row += 1
    return _paint_text_block(sheet, row, item.summary, Role.TEXT)


def _paint_text_block(sheet: Canvas, row: int, text: str, role: Role) -> int:
    for line in wrap(plain(text), max(8, sheet.columns)):
        sheet.put(0, row, line, role)
        row += 1
    return row
