"""A scenario's question; with the answer when it may be told; and the presenter's notes when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator

from app.lesson import Lesson
from app.paint.canvas import Role
from app.paint.pages import Line
from app.paint.text import plain, wrap


def lesson_lines(lesson: Lesson, columns: int, *, answered: bool, presenter: bool) -> list[Line]:
    """In rows of ``columns``. ``answered``: the run was seen, or somebody asked."""
    lines: list[Line] = []
    if lesson.claim:
        lines += [*_part("it is said", lesson.claim, columns, Role.STRONG)]
    if lesson.question:
        lines += [*_part("question", lesson.question, columns, Role.STRONG), *_choices(lesson, columns, answered)]
    if answered:
        if lesson.verdict:
            lines += [*_part("measured", f"this is {lesson.verdict}", columns, Role.TEXT)]
        lines += [*_part("explanation", lesson.explanation, columns, Role.TEXT)]
        lines += [*_part("see", lesson.link, columns, Role.DIM)]
    if presenter:
        lines += [*_part("for the presenter", lesson.notes or "no notes", columns, Role.TEXT)]
    lines += [[], _keys(answered=answered, presenter=presenter)]
    return lines[1:] if not lines[0] else lines


def _part(word: str, text: str, columns: int, role: Role) -> Iterator[Line]:
    """A heading and its text, with an empty line above; nothing where there is no text."""
    if text:
        yield ()
        yield ((word, Role.TITLE),)
        yield from (((f"  {line}", role),) for line in wrap(plain(" ".join(text.split())), columns - 2))


def _choices(lesson: Lesson, columns: int, answered: bool) -> Iterator[Line]:
    """The right one has a mark of its own, so that it is seen without colours."""
    for number, choice in enumerate(lesson.choices):
        right = answered and number == lesson.answer
        first, *rest = wrap(plain(choice), columns - 7) or [""]
        role = Role.CLEANUP if right else Role.DIM if answered else Role.TEXT
        yield ((f"  {'▸' if right else ' '} {chr(ord('a') + number)}  ", Role.KEY), (first, role))
        yield from (((f"       {line}", role),) for line in rest)


def _keys(*, answered: bool, presenter: bool) -> Line:
    keys: list[tuple[str, Role]] = []
    if not answered:
        keys += [("enter", Role.KEY), (" the answer   ", Role.DIM)]
    keys += [("p", Role.KEY), (f" {'hide the' if presenter else 'the presenter' + chr(39) + 's'} notes   ", Role.DIM)]
    return (*keys, ("esc", Role.KEY), (" leave", Role.DIM))
