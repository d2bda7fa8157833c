"""The pictures of the screen are there in every size, and what they are drawn from can be opened and says the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from probes.index import Index

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("docs_pictures", DOCS / "pictures.py")
assert _spec is not None
assert _spec.loader is not None
pictures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pictures)


def test_the_recording_stands_at_the_end_of_a_settled_run() -> None:
    with Index(pictures.RECORDING) as index:
        player = pictures.player(index)
        run = player.log.run(player.run)
    assert (run.outcome, len(run.lanes)) == ("settled", 4)


@pytest.mark.parametrize("size", pictures.SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_there_is_a_picture_of_each_size(size: tuple[int, int]) -> None:
    """Not compared cell by cell: what screens look like is held by the snapshots, and drawn anew by `make pictures`."""
    text = (pictures.FOLDER / pictures.name(*size)).read_text(encoding="utf-8")
    assert text.lstrip().startswith("<svg")
    assert "REPLAY" in text
    assert "RST_STREAM" in text
    assert "zombie" in text


def test_the_readme_shows_one() -> None:
    assert "docs/screens/120x36.svg" in (DOCS.parent / "README.md").read_text(encoding="utf-8")
