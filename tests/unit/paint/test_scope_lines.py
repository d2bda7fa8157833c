"""What the lens adds to the picture: window, cursors, readout, ties, threads, bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from rich.cells import cell_len

from app.paint import timeline
from app.paint.canvas import Canvas, Role
from app.paint.density import BLOCKS
from app.paint.lens import WIDEST, Lens, Pin, pin
from app.paint.scene import Scene
from app.paint.view import View
from probes import events as ev
from probes.events import TO_SERVER, Event, Layer
from probes.moments import spots
from probes.state import Moment
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view

US, MS = 1_000, 1_000_000
LINEAR = Lens(mode="linear", per_div=200 * US, start=-200 * US)


def seen(events: Iterable[Event], lens: Lens = WIDEST, now: int = 0) -> View:
    return replace(view(events, now), lens=lens)


def scene(shown: View, columns: int = 100, rows: int = 28) -> Scene:
    return timeline.scene(shown, columns, rows)


def lines(canvas: Canvas) -> list[str]:
    return [canvas.text(y).rstrip() for y in range(canvas.rows)]


def on(layer: Layer, moment: Moment, lane: int = 0) -> Pin:
    """The first such mark of a settled run."""
    run = view(kit.settled()).run
    return next(
        pin(run, spot) for spot in spots(run) if (spot.lane, spot.layer, spot.mark.moment) == (lane, layer, moment)
    )


# --- the window -----------------------------------------------------------------------------------------


def test_the_header_says_the_timebase() -> None:
    assert lines(scene(seen(kit.settled())).canvas)[0].startswith(" log axis")
    text = lines(scene(seen(kit.settled(), LINEAR)).canvas)[0]
    assert text.startswith(" 200 µs/div")
    assert "200µs" in text
    assert "key ▾" in text


def test_marks_beyond_the_window_stand_at_its_ends() -> None:
    early = scene(seen(kit.settled(), replace(LINEAR, start=5 * MS))).canvas
    wire = lines(early)[3]
    assert "‹■ → RST_STREAM" in wire
    assert "key" in lines(early)[0]
    late = lines(scene(seen(kit.settled(), replace(LINEAR, per_div=10 * US, start=-10 * US))).canvas)
    assert late[3].endswith("■›")
    assert "610 µs" in late[3] or "RST_STREAM" in late[3]


@pytest.mark.parametrize("start", [-3_000 * MS, -5 * MS, 0, 700 * US, 60_000 * MS])
@pytest.mark.parametrize("columns", [40, 80, 140])
def test_any_window_of_any_width_is_painted(start: int, columns: int) -> None:
    for lens in (replace(LINEAR, start=start), Lens(first=100_000, decades=3)):
        for events in (kit.settled(), kit.running(), kit.timed_out()):
            canvas = scene(seen(events, lens, Told().zero + 5 * MS), columns, 22).canvas
            assert all(cell_len(canvas.text(y)) == columns for y in range(22))


def test_a_live_linear_view_goes_along_with_now() -> None:
    later = Told().zero + 50 * MS
    axis = scene(seen(kit.cancelled(), LINEAR, later)).axis
    assert axis.side(50 * MS) == 0
    still = scene(seen(kit.cancelled(), replace(LINEAR, follow=False), later)).axis
    assert still.side(50 * MS) == 1


def test_before_the_trigger_now_is_in_the_window_and_only_what_is_in_it_is_drawn() -> None:
    shown = seen(kit.running(), Lens(mode="linear", per_div=10 * MS), Told().zero - 20 * MS)
    made = scene(shown)
    assert made.axis.left < made.axis.zero < made.axis.right - 10
    blocks = [x for x in range(100) if made.canvas.char(x, 3) in BLOCKS]
    assert len(blocks) >= 2
    assert {made.canvas.char(x, 3) for x in blocks} == {BLOCKS[-1]}, "what was before stands in no column"


# --- cursors and what they say --------------------------------------------------------------------------


def test_a_cursor_says_when_where_by_what_and_what_came_before() -> None:
    made = scene(seen(kit.settled(), replace(WIDEST, cursor=on("server", Moment.DONE))))
    said = lines(made.canvas)[-2:]
    assert said[0] == "  A  ◆ 1.210 ms after key  grpc server  user stamp  CancelledError"
    assert said[1] == "     600.0 µs after ■ wire → RST_STREAM CANCEL(8)"
    header = lines(made.canvas)[0]
    dot = next(dot for dot in made.dots if dot.lane == 0 and dot.layer == "server" and dot.moment is Moment.DONE)
    assert header[dot.x] == "A"
    assert made.canvas.role(dot.x, dot.y) is Role.LIT_DONE


def test_the_kernels_stamp_has_its_error() -> None:
    said = lines(scene(seen(kit.settled(), replace(WIDEST, cursor=on("wire", Moment.INTERRUPT)))).canvas)
    assert "kernel ±20 µs" in said[-2]


def test_two_cursors_say_how_far_they_are_apart() -> None:
    lens = replace(WIDEST, cursor=on("server", Moment.DONE), second=on("wire", Moment.INTERRUPT))
    said = lines(scene(seen(kit.settled(), lens)).canvas)
    assert "A-B 600.0 µs" in said[-1]
    assert "B" in said[0]


def test_the_readout_fits_in_80_columns_and_costs_no_mark() -> None:
    lens = replace(WIDEST, cursor=on("client", Moment.DONE, lane=2), why=True)
    bare, read = (scene(seen(kit.settled(), each), 80, 17) for each in (WIDEST, lens))
    assert {(dot.lane, dot.layer, dot.t) for dot in bare.dots} == {(dot.lane, dot.layer, dot.t) for dot in read.dots}
    assert any("nothing was seen on the wire" in line for line in lines(read.canvas)[-3:])


def test_what_the_pointer_is_on_is_read_out_without_a_cursor() -> None:
    shown = seen(kit.settled(), replace(WIDEST, hover=on("wire", Moment.INTERRUPT)))
    assert "? " in lines(scene(shown).canvas)[-1]
    assert "RST_STREAM CANCEL(8)" in lines(scene(shown).canvas)[-1]


# --- ties, threads --------------------------------------------------------------------------------------


def tied() -> list[Event]:
    told = Told().ready().fired(kit.settings())
    told.emit(ev.Trigger, told.zero, run=1, cause="key")
    told.at(ev.Signal, 9, "grpc", layer="caller", cause="key")
    told.frame(40, "grpc", "http/2", "RST_STREAM", TO_SERVER, code="CANCEL(8)", stamp="kernel", err=20_000)
    told.span(ev.SpanCancelled, 900, "grpc", "server", error="CancelledError")
    return told.events


def test_marks_nearer_than_the_calibration_are_drawn_as_a_tie() -> None:
    still = replace(LINEAR, follow=False)
    shown = seen(tied(), still, Told().zero + 2 * MS)
    rows = lines(scene(shown).canvas)
    assert "≈■" in rows[3]
    assert "≈" not in rows[4], "the server's mark is far behind"
    lens = replace(still, cursor=Pin(1, 0, "wire", Told().zero + 40 * US, Moment.INTERRUPT))
    said = lines(scene(replace(shown, lens=lens)).canvas)[-1]
    assert "≈ tie with ◆ caller" in said
    assert "31.0 µs apart" in said


def test_a_thread_leads_from_the_mark_to_the_key() -> None:
    lens = replace(WIDEST, cursor=on("server", Moment.DONE), why=True)
    made = scene(seen(kit.settled(), lens))
    rows = lines(made.canvas)
    assert "╰" in rows[2] and "╰" in rows[3] and "╰" in rows[4]
    lit = [dot.layer for dot in made.dots if "LIT" in made.canvas.role(dot.x, dot.y).name]
    assert lit == ["caller", "client", "wire", "server"]
    assert rows[-1].startswith("    because of ■ wire")
    assert rows[-1].endswith("key")


def test_where_nothing_was_seen_the_thread_ends_and_says_so() -> None:
    lens = replace(WIDEST, cursor=on("client", Moment.DONE, lane=2), why=True)
    made = scene(seen(kit.settled(), lens))
    wire = next(slot.y for slot in made.slots if slot.lane == 2 and "wire" in slot.layers)
    ends = [x for x in range(100) if made.canvas.role(x, wire) is Role.LIT_ALERT]
    # It ends at the words that say so, which no cross may hide.
    assert "".join(made.canvas.char(x, wire) for x in ends).strip().startswith("nothing seen")
    assert "CancelledError" in lines(made.canvas)[wire - 1]
    assert any(dot.x in ends for dot in made.dots if dot.y == wire - 1)
    assert "the news went no further: nothing was seen on the wire" in lines(made.canvas)[-1]


# --- bytes ----------------------------------------------------------------------------------------------


def test_a_stream_that_goes_on_after_done_is_seen_at_a_glance() -> None:
    lens = Lens(mode="linear", per_div=20 * MS, start=-100 * MS)
    made = scene(seen(kit.settled(), lens), 120)
    wire = next(slot.y for slot in made.slots if slot.lane == 2 and "wire" in slot.layers)
    late = [x for x in range(120) if made.canvas.char(x, wire) in BLOCKS and made.canvas.role(x, wire) is Role.ALERT]
    early = [x for x in range(120) if made.canvas.char(x, wire) in BLOCKS and made.canvas.role(x, wire) is Role.RUNNING]
    assert late and early
    assert max(early) < made.axis.zero < min(late)
    assert {late[n + 1] - late[n] for n in range(len(late) - 1)} <= {10}, "a chunk each 20 ms, a division"


def test_the_pointer_finds_marks_times_and_lanes() -> None:
    shown = seen(kit.settled())
    made = scene(shown)
    dot = next(dot for dot in made.dots if dot.layer == "wire")
    assert made.pin_at(dot.x + 1, dot.y, shown.run) == Pin(1, 0, "wire", dot.t, Moment.INTERRUPT)
    free = made.pin_at(made.axis.zero + 5, dot.y, shown.run)
    assert free is not None
    assert free.moment is None
    assert made.pin_at(2, dot.y, shown.run) is None
    assert made.lane_at(made.dots[-1].y) == 3
