"""Painters stand any run in any room: nothing raises, and every strip has exactly the width that was asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from app.paint import evidence, machine, scoreboard, stage, status, timeline, timeouts
from app.paint.canvas import Role
from app.paint.frame import framed
from app.paint.view import Painter, Title
from probes.events import Event
from tests.kit.console_kit import view
from tests.kit.random_runs import runs

PALETTE = {role: Style() for role in Role}
PAINTERS: dict[str, tuple[Painter, Title | None]] = {
    "timeline": (timeline.paint_timeline, timeline.title),
    "machine": (machine.paint_machine, machine.title),
    "stage": (stage.paint_stage, stage.title),
    "scoreboard": (scoreboard.paint_scoreboard, scoreboard.title),
    "timeouts": (timeouts.paint_timeouts, timeouts.title),
    "evidence": (evidence.paint_evidence, evidence.title),
    "status": (status.paint_status, None),
    "footer": (status.paint_footer, None),
    "small": (status.paint_small, None),
}


@pytest.mark.parametrize("name", PAINTERS)
@settings(max_examples=40, deadline=None)
@given(
    events=runs(),
    size=st.tuples(st.integers(0, 130), st.integers(0, 40)),
    chrome=st.sampled_from(("box", "rule", "bare")),
    later=st.integers(0, 10**11),
    selected=st.integers(0, 5),
)
def test_any_run_in_any_size(
    name: str, events: list[Event], size: tuple[int, int], chrome: str, later: int, selected: int
) -> None:
    painter, title = PAINTERS[name]
    seen = view(events, events[-1].t + later, selected=selected)
    columns, rows = size
    strips = framed(painter, title, chrome, seen, columns, rows).strips(PALETTE)  # type: ignore[arg-type]
    assert len(strips) == rows
    assert all(sum(cell_len(segment.text) for segment in strip) == columns for strip in strips)
