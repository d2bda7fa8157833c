"""Cells, roles, strips, and text that is never obeyed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from app.paint.canvas import Canvas, Role
from app.paint.text import first_that_fits, fit, plain, width, wrap

PALETTE = {role: Style(meta={"role": role.name}) for role in Role}


def test_text_is_cut_at_both_edges() -> None:
    canvas = Canvas(5, 1)
    assert canvas.put(-2, 0, "abcdefghij", Role.DONE) == 8
    assert canvas.text(0) == "cdefg"


def test_what_falls_outside_is_not_drawn() -> None:
    canvas = Canvas(3, 1)
    for x, y in ((5, 0), (-9, 0), (0, 1), (0, -1)):
        canvas.put(x, y, "abc")
    assert canvas.text(0) == "   "


def test_a_run_of_one_role_is_one_segment() -> None:
    canvas = Canvas(6, 1)
    canvas.put(1, 0, "ab", Role.DONE)
    canvas.put(3, 0, "c", Role.DONE)
    (strip,) = canvas.strips(PALETTE)
    assert [(segment.text, segment.style.meta["role"]) for segment in strip if segment.style] == [
        (" ", "TEXT"),
        ("abc", "DONE"),
        ("  ", "TEXT"),
    ]


def test_half_of_a_wide_character_is_never_left_behind() -> None:
    canvas = Canvas(6, 1)
    canvas.put(0, 0, "字字字")
    canvas.put(1, 0, "x")
    assert cell_len(canvas.text(0)) == 6
    assert canvas.text(0) == " x字字"


@given(st.lists(st.tuples(st.integers(-3, 12), st.text(max_size=8)), max_size=8))
def test_every_strip_is_as_wide_as_the_canvas(writes: list[tuple[int, str]]) -> None:
    canvas = Canvas(10, 1)
    for x, text in writes:
        canvas.put(x, 0, plain(text), Role.DONE)
    (strip,) = canvas.strips(PALETTE)
    assert sum(cell_len(segment.text) for segment in strip) == 10


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("[bold]x[/]", "[bold]x[/]"),
        ("abc\u202edef", "abc\\u202edef"),
        ("e\u0301", "e·"),
        ("µs → ok", "µs → ok"),
    ],
)
def test_control_characters_are_spelt_out(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(max_size=30))
def test_what_is_shown_is_printable_and_has_a_width(text: str) -> None:
    assert all(char.isprintable() and cell_len(char) > 0 for char in plain(text))


@given(st.text(max_size=30).map(plain), st.integers(0, 20))
def test_text_fits_and_says_where_it_was_cut(text: str, cells: int) -> None:
    cut = fit(text, cells)
    assert width(cut) <= cells
    assert cut == text or not cells or cut.endswith("…")


def test_the_longest_that_fits_is_taken() -> None:
    assert first_that_fits(6, "zombie 940 ms", "zombie", "z") == "zombie"
    assert first_that_fits(3, "zombie 940 ms", "zombie") == "zo…"


def test_rows_that_did_not_change_keep_their_strips() -> None:
    before, after = Canvas(5, 3), Canvas(5, 3)
    for canvas, word in ((before, "old"), (after, "new")):
        canvas.put(0, 0, "same")
        canvas.put(0, 1, word)
    drawn = before.strips(PALETTE)
    strips = after.strips(PALETTE, before, drawn)
    assert [new is old for new, old in zip(strips, drawn, strict=True)] == [True, False, True]
    assert strips[1].text == "new  "


def test_another_size_keeps_nothing() -> None:
    before, after = Canvas(5, 1), Canvas(6, 1)
    assert after.strips(PALETTE, before, before.strips(PALETTE))[0].text == " " * 6


@pytest.mark.parametrize("cells", [-2, -1, 0, 1, 2, 7, 40])
def test_wrapped_text_loses_no_word_and_comes_to_an_end(cells: int) -> None:
    text = "it was 5 s; said because the lane ends earlier"
    lines = wrap(text, cells)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(lines)
    assert max(map(width, lines)) <= max(1, cells)
