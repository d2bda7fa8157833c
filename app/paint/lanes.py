"""The lane panel: the lanes as tabs, every value of one of them, and beside it all that the value could be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.laneform import Form
from app.paint.canvas import Canvas, Role
from app.paint.status import put_hints
from app.paint.text import fit, plain, width, wrap
from app.paint.view import Hint
from app.rows import Choice, Row

_VALUE = 18
"""The column in which the values begin."""
_SHORTEST = 12
"""What is said of a choice is not begun where fewer cells are left."""
_TOP = 2


def title(form: Form, name: str) -> tuple[str, str]:
    return "lanes of the next run", plain(name) if form.tables == form.original else f"{plain(name)}, changed"


def paint_lanes(form: Form, problem: str, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    """``problem``: what is wrong with the lanes as they are, in one line."""
    canvas = Canvas(columns, rows)
    _paint_tabs(canvas, form)
    said = wrap(plain(problem), max(20, columns - 2))[:2] if problem else []
    bottom = rows - 2 - max(1, len(said))
    middle = max(42, min(52, columns * 9 // 20))
    _paint_rows(canvas, form, middle, bottom)
    for y in range(_TOP - 1, bottom):
        canvas.put(middle, y, "│", Role.FRAME)
    _paint_choices(canvas, form.row, middle + 2, bottom)
    for y, line in enumerate(said, start=bottom + 1):
        canvas.put(1, y, line, Role.ALERT)
    put_hints(canvas, rows - 1, hints)
    return canvas


def _paint_tabs(canvas: Canvas, form: Form) -> None:
    x = 1
    # The brackets tell which one it is where there are no colours.
    names = [f" {number} {plain(name)} " for number, name in enumerate(form.names, start=1)]
    if sum(map(width, names)) + len(names) > canvas.columns - 2:
        each = max(5, (canvas.columns - 2) // len(names) - 1)
        names = [fit(name, each) for name in names]
    for index, name in enumerate(names):
        chosen = index == form.lane
        text = f"[{name.strip()}]" if chosen else name
        x = canvas.put(x, 0, text, Role.LIT_TEXT if chosen else Role.DIM) + 1


# --- values -------------------------------------------------------------------------------------------


def _lines(rows: Sequence[Row]) -> Iterator[tuple[int, str]]:
    """(number of the row or -1, heading) for each line."""
    section = ""
    for index, row in enumerate(rows):
        if row.section != section:
            section = row.section
            yield -1, section
        yield index, ""


def _paint_rows(canvas: Canvas, form: Form, end: int, bottom: int) -> None:
    found, chosen = form.rows, form.index
    lines = list(_lines(found))
    at = next(y for y, (index, _) in enumerate(lines) if index == chosen)
    room = bottom - _TOP
    top = max(0, min(at - room // 2, len(lines) - room))
    for y, (index, heading) in enumerate(lines[top : top + room], start=_TOP):
        if index < 0:
            canvas.put(1, y, heading, Role.TITLE)
        else:
            _paint_row(canvas, y, found[index], form.typed if index == chosen else None, end, chosen=index == chosen)


def _paint_row(canvas: Canvas, y: int, row: Row, typed: str | None, end: int, *, chosen: bool) -> None:
    if chosen:
        canvas.put(0, y, "▌", Role.SELECTED)
    label = fit(row.label, _VALUE - 4 - 2 * row.inner)
    canvas.put(3 + 2 * row.inner, y, label, Role.TEXT if chosen else Role.DIM)
    room = end - _VALUE - 3
    if typed is not None:
        x = canvas.put(_VALUE + 1, y, plain(typed)[-max(1, room - 1) :], Role.KEY)
        canvas.put(x, y, "▏", Role.KEY)
        return
    text = plain(row.text)
    if row.why:
        # Greyed, and marked by its shape too.
        text, role = f"× {text}", Role.DIM
    else:
        role = Role.STRONG if chosen else Role.DIM if row.value is None else Role.TEXT
    x = canvas.put(_VALUE + 1, y, fit(text, room), role)
    if chosen and (row.choices or row.kind != "text"):
        canvas.put(_VALUE - 1, y, "◂", Role.KEY)
        canvas.put(x + 1, y, "▸", Role.KEY)


# --- what a value could be ----------------------------------------------------------------------------


def _paint_choices(canvas: Canvas, row: Row, x: int, bottom: int) -> None:
    """What the value means, and for each of its choices what that is or why it cannot be."""
    room = canvas.columns - x - 1
    y = _TOP
    canvas.put(x, y, fit(row.label, room), Role.TITLE)
    for line in wrap(plain(row.help), room)[:3]:
        y += 1
        canvas.put(x, y, line, Role.DIM)
    y += 2
    if not row.choices:
        canvas.put(x, y, fit(_how(row), room), Role.DIM)
        return
    names = max(width(choice.text) for choice in row.choices) + 6
    top = max(0, min(row.chosen - (bottom - y) // 2, len(row.choices) - (bottom - y)))
    for index, choice in enumerate(row.choices[top : top + bottom - y], start=top):
        _paint_choice(canvas, x, y, choice, names, chosen=index == row.chosen)
        y += 1
    _paint_rest(canvas, row, x, y + 1, room - names, bottom)


def _paint_choice(canvas: Canvas, x: int, y: int, choice: Choice, names: int, *, chosen: bool) -> None:
    if chosen:
        canvas.put(x, y, "▌", Role.SELECTED)
    role = Role.DIM if choice.why else Role.STRONG if chosen else Role.TEXT
    canvas.put(x + 2, y, f"× {choice.text}" if choice.why else f"  {choice.text}", role)
    about, room = plain(choice.why or choice.help), canvas.columns - x - names - 1
    if room >= _SHORTEST or width(about) <= room:
        canvas.put(x + names, y, fit(about, room), Role.DIM)


def _paint_rest(canvas: Canvas, row: Row, x: int, y: int, room: int, bottom: int) -> None:
    """What is said of the chosen one, in full, where beside it there was no room."""
    chosen = row.choices[row.chosen] if row.chosen >= 0 else None
    if chosen is None or width(about := plain(chosen.why or chosen.help)) <= room - 1:
        return
    for line, text in enumerate(wrap(about, canvas.columns - x - 1), start=y):
        if line < bottom:
            canvas.put(x, line, text, Role.TEXT)


def _how(row: Row) -> str:
    return "type it: enter begins and ends" if row.kind == "text" else "left and right step, or type it"
