"""The coverage screen: phases across, causes down, and in each cell whether it can be, has a scenario, was tried.

What was tried has the colour of the verdict that was found the last time. The density of a cell says how far it is,
for those who see no colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.grid import Grid
from app.paint.canvas import Canvas, Role
from app.paint.scoreboard import VERDICTS
from app.paint.status import put_hints
from app.paint.text import fit, plain, width, wrap
from app.paint.view import Hint
from probes.catalogue import CAUSES, PHASES, PROTOCOLS

TRIED, REACHED, MISSING, IMPOSSIBLE = "█", "▒", "░", "·"
_MINI_ROWS = max(map(len, CAUSES.values())) + 1
_DETAIL = 4
_LEGEND = (
    (TRIED, "tried (letter, colour: last verdict)"),
    (REACHED, "has a scenario"),
    (MISSING, "no scenario yet"),
    (IMPOSSIBLE, "cannot be"),
)
_SHORT = (
    (TRIED, "tried (its verdict)"),
    (REACHED, "has a scenario"),
    (MISSING, "none yet"),
    (IMPOSSIBLE, "cannot be"),
)
"""Where there is less room."""


def title(grid: Grid) -> tuple[str, str]:
    done, reached, possible = grid.counts()
    counting = f"counting {grid.left} more runs · " if grid.left else ""
    return "coverage", f"{counting}{done} tried · {reached} with a scenario · {possible} possible"


def paint_coverage(grid: Grid, hints: Sequence[Hint], columns: int, rows: int) -> Canvas:
    """The lane that is looked at; all of them small below it, where there is room."""
    canvas = Canvas(columns, rows)
    _paint_tabs(canvas, grid)
    y = _paint_lane(canvas, grid, 1)
    opens = any(hint.action == "open" for hint in hints)
    y = _paint_detail(canvas, grid, y + 1, rows - 2, opens=opens)
    if rows - 2 - y > _MINI_ROWS:
        _paint_all(canvas, grid, rows - 2 - _MINI_ROWS)
    _paint_legend(canvas, rows - 2)
    put_hints(canvas, rows - 1, hints)
    return canvas


def look(grid: Grid, key: tuple[str, str, str]) -> tuple[str, Role]:
    """The character and the colour of a cell."""
    cell, done = grid.cells[key], grid.tried.get(key)
    if done is not None:
        return TRIED, VERDICTS.get(done.verdict, Role.TEXT)
    if cell.why:
        return IMPOSSIBLE, Role.DIM
    return (REACHED, Role.DIM) if cell.by else (MISSING, Role.DIM)


def _paint_tabs(canvas: Canvas, grid: Grid) -> None:
    x = 1
    for lane, protocol in enumerate(PROTOCOLS):
        done, _, possible = grid.counts(protocol)
        text = f" {protocol} {done}/{possible} "
        x = canvas.put(x, 0, text, Role.LIT_TEXT if lane == grid.lane else Role.DIM) + 1


# --- one lane -----------------------------------------------------------------------------------------


def _paint_lane(canvas: Canvas, grid: Grid, y: int) -> int:
    """From row ``y`` on; returns the row after it."""
    phases, causes = PHASES[grid.protocol], CAUSES[grid.protocol]
    labels = max(map(len, causes)) + 3
    cells = max(4, min(14, (canvas.columns - labels - 1) // len(phases)))
    heads = [_head(phase, cells - 1) for phase in phases]
    high = max(map(len, heads))
    for index, lines in enumerate(heads):
        role = Role.STRONG if index == grid.phase else Role.DIM
        for line, text in enumerate(lines, start=y + high - len(lines)):
            canvas.put(labels + index * cells, line, text, role)
    y += high
    for row, cause in enumerate(causes):
        role = Role.STRONG if row == grid.cause else Role.DIM
        canvas.put(1, y + row, fit(cause, labels - 2), role)
        for index, phase in enumerate(phases):
            _paint_cell(canvas, labels + index * cells, y + row, grid, (grid.protocol, phase, cause))
    return y + len(causes)


def _paint_cell(canvas: Canvas, x: int, y: int, grid: Grid, key: tuple[str, str, str]) -> None:
    char, role = look(grid, key)
    done = grid.tried.get(key)
    canvas.put(x, y, f" {char} " if char == IMPOSSIBLE else char * 3, role)
    if done is not None:
        # To be told apart without colours.
        canvas.put(x + 2, y, done.verdict[:1], role)
    if key == grid.key:
        canvas.put(x - 1, y, "▐", Role.SELECTED)
        canvas.put(x + 3, y, "▌", Role.SELECTED)


def _head(phase: str, cells: int) -> list[str]:
    """A phase's name in lines of so many cells; a word that is longer is cut."""
    lines: list[str] = []
    for word in phase.split():
        short = word[:cells]
        if lines and len(lines[-1]) + 1 + len(short) <= cells:
            lines[-1] += f" {short}"
        else:
            lines.append(short)
    return lines


# --- what is known of the cell ------------------------------------------------------------------------


def _paint_detail(canvas: Canvas, grid: Grid, y: int, bottom: int, *, opens: bool) -> int:
    """From row ``y`` on and above ``bottom``; returns the row after it. ``opens``: whether enter does something."""
    protocol, phase, cause = grid.key
    x = canvas.put(1, y, f"{protocol} · {phase} · {cause}", Role.STRONG) + 2
    if (done := grid.tried.get(grid.key)) is not None:
        times = "once" if done.runs == 1 else f"{done.runs} times"
        x = canvas.put(x, y, f"tried {times}, last", Role.TEXT) + 1
        canvas.put(x, y, done.verdict, VERDICTS.get(done.verdict, Role.TEXT))
    for text, role in _said(grid, canvas.columns - 2, max(0, min(_DETAIL, bottom - y)) - 1, opens=opens):
        y += 1
        canvas.put(1, y, text, role)
    return y + 1


def _said(grid: Grid, room: int, lines: int, *, opens: bool) -> Iterator[tuple[str, Role]]:
    cell = grid.cell
    if cell.why:
        text, role = f"cannot be: {cell.why}", Role.TEXT
    elif cell.by:
        text, role = f"in {', '.join(cell.by)}", Role.DIM
    else:
        text, role = f"no scenario has such a lane{': enter makes one' if opens else ''}", Role.DIM
    found = wrap(plain(text), room)
    for index, line in enumerate(found[:lines]):
        cut = index == lines - 1 and len(found) > lines
        yield fit(f"{line} …", room) if cut else line, role


# --- all lanes ----------------------------------------------------------------------------------------


def _paint_all(canvas: Canvas, grid: Grid, y: int) -> None:
    """Every cell of every lane, two characters each."""
    spare = canvas.columns - 2 - sum(2 * len(PHASES[protocol]) for protocol in PROTOCOLS)
    gap, x = max(2, min(12, spare // len(PROTOCOLS))), 1
    for lane, protocol in enumerate(PROTOCOLS):
        canvas.put(x, y, protocol, Role.STRONG if lane == grid.lane else Role.DIM)
        for row, cause in enumerate(CAUSES[protocol], start=y + 1):
            for index, phase in enumerate(PHASES[protocol]):
                char, role = look(grid, (protocol, phase, cause))
                canvas.put(x + 2 * index, row, f"{char} " if char == IMPOSSIBLE else char * 2, role)
        x += max(2 * len(PHASES[protocol]), width(protocol)) + gap


def _paint_legend(canvas: Canvas, y: int) -> None:
    x = 1
    texts = _LEGEND if sum(width(text) + 4 for _, text in _LEGEND) < canvas.columns else _SHORT
    for char, text in texts:
        x = canvas.put(x, y, char, Role.CLEANUP if char == TRIED else Role.DIM) + 1
        x = canvas.put(x, y, text, Role.DIM) + 2
