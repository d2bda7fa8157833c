"""Rows as cells: where a mark stands, what it looks like, what stands beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from app.paint.canvas import Canvas, Role
from app.paint.timeline import axis_in, paint_timeline, plan
from app.paint.view import Playback, View
from probes import events as ev
from probes.events import TO_CLIENT, TO_SERVER, Event
from tests.kit import console_kit as kit
from tests.kit.console_kit import Told, view

ROWS = {"caller": 0, "client": 1, "wire": 2, "server": 3, "resource": 4}


def painted(events: Iterable[Event], now: int = 0, columns: int = 100, rows: int = 24, selected: int = 0) -> Canvas:
    return paint_timeline(view(events, now, selected=selected), columns, rows)


def row(canvas: Canvas, lane: int, layer: str) -> str:
    """A row of the full layout with gaps."""
    return canvas.text(1 + lane * 6 + ROWS[layer])


def role_at(canvas: Canvas, lane: int, layer: str, glyph: str) -> Role:
    y = 1 + lane * 6 + ROWS[layer]
    return canvas.role(canvas.text(y).index(glyph), y)


def column_of(seen: View, columns: int, us: float) -> int:
    return axis_in(seen, columns).column(round(us * 1000))


def test_a_whole_row_at_a_known_width() -> None:
    canvas = painted(kit.settled())
    assert row(canvas, 0, "wire").rstrip() == (
        "▌            wire      ▅▅▅█▅▅█▅▅█▅┼┅┅┅┅┅┅┅┅┅┅┅┅┅┅┅┅┅┅┅■ → RST_STREAM CANCEL(8)  610 µs  ┊         ┊"
    )


@pytest.mark.parametrize(("columns", "us"), [(80, 610), (100, 610), (160, 610)])
def test_a_mark_stands_in_the_column_of_its_time(columns: int, us: float) -> None:
    canvas = painted(kit.settled(), columns=columns)
    assert row(canvas, 0, "wire").index("■") == column_of(view(kit.settled()), columns, us)


def test_shapes_are_filled_where_the_wire_proves_it() -> None:
    canvas = painted(kit.settled())
    assert "◆" in row(canvas, 0, "client")
    assert "◇" not in row(canvas, 0, "client")
    assert "says" not in row(canvas, 0, "client")


def test_shapes_are_hollow_where_only_the_library_says_so() -> None:
    canvas = painted(kit.settled())
    assert "◇ says CancelledError" in row(canvas, 2, "client")
    assert "◆" not in row(canvas, 2, "client")
    assert role_at(canvas, 2, "client", "◇") is Role.DONE


def test_every_mark_has_the_colour_of_its_moment() -> None:
    canvas = painted(kit.settled())
    assert role_at(canvas, 0, "client", "◆") is Role.DONE
    assert role_at(canvas, 0, "wire", "■") is Role.INTERRUPT
    assert role_at(canvas, 0, "resource", "●") is Role.CLEANUP


def test_marks_in_one_column_stand_side_by_side_in_order() -> None:
    canvas = painted(kit.settled())
    server = row(canvas, 0, "server")
    assert "◆● CancelledError · finally ran" in server
    assert server.index("◆") == column_of(view(kit.settled()), 100, 1_210)


def test_nothing_seen_is_a_result() -> None:
    text = row(painted(kit.settled()), 2, "wire")
    assert "nothing seen, 118 KiB still passed" in text
    assert "■" not in text
    assert "┅" in text


def test_nothing_seen_is_not_said_before_the_settle_time_is_over() -> None:
    told = Told()
    events = kit.cancelled()
    assert "nothing seen" not in row(painted(events, told.zero + 900_000_000), 2, "wire")
    assert "nothing seen" in row(painted(events, told.zero + 1_000_000_000), 2, "wire")


def test_a_zombie_is_a_block_with_its_age_and_its_bytes() -> None:
    canvas = painted(kit.cancelled(), Told().zero + 940_000_000)
    text = row(canvas, 2, "server")
    assert "▒▒ zombie 940 ms, 118 KiB sent to nobody ▒" in text
    assert role_at(canvas, 2, "server", "▒") is Role.ZOMBIE
    assert role_at(canvas, 2, "server", "━") is Role.RUNNING


def test_a_zombie_that_has_ended_stops_growing() -> None:
    late = painted(kit.settled(), Told().zero + 8_000_000_000)
    assert "zombie > 1.0 s" in row(late, 2, "server")


def test_a_connection_that_was_over_before_the_trigger_is_not_one_on_which_nothing_was_seen() -> None:
    told = Told().ready().fired(kit.settings()).frame(-5_000, "http/2", "tcp", "FIN", TO_CLIENT).cancelled().settled()
    wire = row(painted(told.events), 2, "wire")
    assert "closed" in wire
    assert "nothing seen" not in wire


def test_what_was_not_given_back_is_named() -> None:
    assert "still held: 1 handler, 1 stream" in row(painted(kit.settled()), 2, "resource")


def test_a_row_runs_until_it_has_been_told() -> None:
    now = Told().zero + 500_000
    seen = view([event for event in kit.cancelled() if event.t <= now], now)
    canvas = paint_timeline(seen, 100, 24)
    y = 1 + ROWS["server"]
    assert canvas.role(column_of(seen, 100, 400), y) is Role.RUNNING
    assert canvas.text(y)[column_of(seen, 100, 900)] in " ┊"


def test_between_told_and_through_a_row_has_the_colour_of_done() -> None:
    told = Told().ready().fired(kit.settings())
    told.emit(ev.Trigger, told.zero, run=1, cause="key")
    told.at(ev.Signal, 9, "grpc", layer="caller", cause="key")
    told.span(ev.SpanCancelled, 500, "grpc", "server", error="CancelledError")
    seen = view(told.events, told.zero + 200_000_000)
    canvas = paint_timeline(seen, 160, 24)
    y = 1 + ROWS["server"]
    assert canvas.role(column_of(seen, 160, 100), y) is Role.RUNNING
    assert canvas.role(column_of(seen, 160, 150_000), y) is Role.DONE


def test_every_row_has_the_zero_line() -> None:
    canvas = painted(kit.settled())
    zero = canvas.text(0).index("▾")
    for y in range(1, 24):
        assert canvas.role(zero, y) in (Role.ZERO, Role.DONE), canvas.text(y)


def test_before_the_trigger_the_rows_say_what_goes_on() -> None:
    canvas = painted(kit.running(), Told().zero - 20_000_000)
    assert "armed 293 ms" in canvas.text(0)
    assert "in mid-stream" in row(canvas, 0, "caller")
    assert "14 read" in row(canvas, 0, "client")
    assert "14 passed · 14 KiB" in row(canvas, 0, "wire")
    assert "14 accepted" in row(canvas, 0, "server")


def test_a_lanes_own_timer_stands_at_its_zero_with_its_cause() -> None:
    canvas = painted(kit.timed_out(), Told().zero + 200_000_000, columns=120)
    text = row(canvas, 1, "caller")
    zero = text.index("▾")
    assert canvas.text(0)[zero] == "▾"
    assert "httpx read timeout" in text[zero:]
    assert "ReadTimeout" in text


def test_a_lane_that_ended_before_says_how() -> None:
    canvas = painted(kit.timed_out(), Told().zero + 200_000_000)
    assert "completed" in row(canvas, 2, "caller")
    assert not set("◆■●◇□○") & set(row(canvas, 2, "wire"))


def test_words_never_cover_the_next_mark() -> None:
    for columns in range(60, 200, 7):
        canvas = painted(kit.settled(), columns=columns)
        text = row(canvas, 3, "wire")
        assert text.count("■") == 2, columns
        assert "■" in row(canvas, 0, "wire")


def test_where_not_all_words_fit_they_are_said_in_brief() -> None:
    assert "CancelRequest · 57014" in row(painted(kit.settled(), columns=84), 3, "wire")


def test_where_not_even_brief_words_fit_the_answer_is_kept() -> None:
    text = row(painted(kit.settled(), columns=64), 3, "wire")
    assert "57014" in text
    assert "CancelRequest" not in text


def test_words_that_do_not_fit_behind_a_late_mark_stand_before_it() -> None:
    told = Told().ready().fired(kit.settings())
    told.emit(ev.Trigger, told.zero, run=1, cause="key")
    told.frame(2_000_000, "grpc", "http/2", "RST_STREAM", TO_SERVER, code="CANCEL(8)")
    text = row(painted(told.events, told.zero + 2_000_100_000), 0, "wire")
    assert text.index("→ RST_STREAM CANCEL(8)") < text.index("■")


def test_evidence_is_data() -> None:
    told = Told().ready().fired(kit.settings())
    told.emit(ev.Trigger, told.zero, run=1, cause="key")
    told.at(ev.Signal, 9, "grpc", layer="caller", cause="key")
    told.span(ev.SpanCancelled, 90, "grpc", "client", "[red]\x1b[2J", error="CancelledError")
    text = row(painted(told.events, told.zero + 100_000_000), 0, "client")
    assert "[red]\\x1b[2J" in text
    assert "\x1b" not in text


def test_the_selected_lane_is_marked() -> None:
    canvas = painted(kit.settled(), selected=2)
    marked = [y for y in range(24) if canvas.text(y)[0] == "▌"]
    assert marked == list(range(13, 18))


@pytest.mark.parametrize(("rows", "layers", "gap"), [(26, 5, 2), (23, 5, 1), (20, 5, 0), (16, 4, 0), (12, 3, 0)])
def test_fewer_rows_share_layers_and_lose_none(rows: int, layers: int, gap: int) -> None:
    layout = plan(4, rows, 0)
    assert (len(layout.rows), layout.gap, layout.count) == (layers, gap, 4)
    assert {name for names in layout.rows.values() for name in names} == set(ROWS)


def test_lanes_that_do_not_fit_scroll_with_the_selection() -> None:
    layout = plan(6, 9, 5)
    assert (layout.first, layout.count) == (3, 3)
    assert plan(6, 9, 0).first == 0


def test_in_few_rows_every_mark_is_still_there() -> None:
    canvas = painted(kit.settled(), columns=80, rows=13)
    text = "".join(canvas.text(y) for y in range(13))
    assert text.count("■") == 4
    assert "▒" in text
    assert "nothing seen" in text


def test_in_slow_motion_a_mark_that_has_just_come_flashes() -> None:
    now = Told().zero + 620_000
    seen = replace(view([event for event in kit.cancelled() if event.t <= now], now), flash_ns=400_000)
    slow = replace(seen, playback=Playback(True, "1/1000", 0, 1, slow=True))
    canvas = paint_timeline(slow, 100, 24)
    assert role_at(canvas, 0, "wire", "■") is Role.LIT_INTERRUPT
    assert role_at(canvas, 0, "caller", "◆") is Role.DONE
    assert role_at(paint_timeline(seen, 100, 24), 0, "wire", "■") is Role.INTERRUPT
