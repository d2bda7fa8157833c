"""A recording that stays in its file: what is wrong with it is said once, and what was looked at is let go again."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import index as indexing
from probes import record
from probes.codec import encode
from probes.events import ChunkReceived, Event, Note, RunEnded, RunStarted
from probes.index import Index
from probes.record import Header, RecordingError
from probes.replay import Player
from tests.kit import console_kit as kit
from tests.kit.story import plan

HEADER = b'{"format":"cancelloscope","version":1,"created":"then"}\n'


def run(number: int, chunks: int = 3) -> list[Event]:
    """A run of ``chunks`` + 2 events, a millisecond each."""
    head = {"err": 0, "src": "lab", "run": number}
    t, seq = number * 1_000_000_000, number * 1000
    events: list[Event] = [RunStarted(t=t, seq=seq, scenario="s", title="t", lanes=(plan("grpc"),), **head)]
    for total in range(1, chunks + 1):
        at = {"t": t + total * 1_000_000, "seq": seq + total, **head}
        events.append(ChunkReceived(lane="grpc", layer="client", n=1, size=9, total=total, **at))
    last = chunks + 1
    return [*events, RunEnded(t=t + last * 1_000_000, seq=seq + last, outcome="settled", **head)]


def lines(*events: Event) -> bytes:
    return b"".join(encode(event) + b"\n" for event in events)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(HEADER + content)
    return path


@pytest.mark.parametrize("block", [1, 100, 1 << 16])
def test_runs_are_found_however_the_file_is_cut_into_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(indexing, "_BLOCK", block)
    note = Note(t=5, err=0, src="lab", seq=1, text="up")
    one, two = run(1), run(2)
    # Two runs in turn, as no lab writes them.
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    with Index(written(tmp_path / "a.jsonl", lines(note, *mixed))) as index:
        assert index.header["created"] == "then"
        assert list(index.events(1)) == one
        assert list(index.events(2)) == two
        assert list(index.edges(2)) == [two[0], two[-1]]
        assert list(index.session) == [note]
        assert (index.whole, index.notes) == ((5, two[-1].t), ())
        with pytest.raises(KeyError):
            index.events(3)


def test_a_line_that_is_no_event_is_counted_once(tmp_path: Path) -> None:
    one = run(1)
    content = lines(*one[:2]) + b"not json\n" + b'{"kind":"future","t":1}\n' + lines(*one[2:])
    with Index(written(tmp_path / "a.jsonl", content)) as index:
        assert list(index.events(1)) == one
        assert list(index.events(1)) == one
        assert [note[:45] for note in index.notes] == ["2 unreadable lines were left out, the first: "]


def test_a_line_of_which_only_the_head_can_be_read_is_found_out_when_it_is_looked_at(tmp_path: Path) -> None:
    one = run(1)
    broken = encode(one[2]).replace(b'"total":2', b'"total":"two"') + b"\n"
    with Index(written(tmp_path / "a.jsonl", lines(*one[:2]) + broken + lines(*one[3:]))) as index:
        assert index.notes == ()
        assert list(index.events(1)) == [*one[:2], *one[3:]]
        assert list(index.events(1)) == [*one[:2], *one[3:]]
        assert index.notes[0].startswith("1 unreadable lines were left out")


def test_empty_lines_and_two_events_on_a_line_do_not_lead_astray(tmp_path: Path) -> None:
    one = run(1)
    two_in_one = encode(one[1]) + b" " + encode(one[2]) + b"\n"
    with Index(written(tmp_path / "a.jsonl", lines(one[0]) + b"\n" + two_in_one + lines(*one[3:]))) as index:
        assert list(index.events(1)) == [one[0], *one[3:]]


def test_a_cut_file_says_after_how_many_events(tmp_path: Path) -> None:
    one = run(1)
    with Index(written(tmp_path / "a.jsonl", lines(*one)[:-5])) as index:
        assert list(index.events(1)) == one[:-1]
        assert index.notes == ("cut: it ends in the middle of a line, after 4 events",)


def test_a_cut_gzip_is_looked_into_as_far_as_it_unpacks(tmp_path: Path) -> None:
    events = [event for number in range(1, 40) for event in run(number, 50)]
    packed = gzip.compress(HEADER + lines(*events))
    path = tmp_path / "a.jsonl"
    path.write_bytes(packed[: len(packed) // 2])
    with Index(path) as index:
        found = [event for number in index.spans for event in index.events(number)]
        assert found == events[: len(found)]
        assert 0 < len(found) < len(events)
        assert f"after {len(found)} events" in index.notes[0]


def test_an_older_version_is_converted_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_zero(header: Header, old: Iterator[bytes]) -> tuple[Header, Iterator[bytes]]:
        return {**header, "version": 1}, (line.replace(b"chunk.got", b"chunk.received") for line in old)

    monkeypatch.setitem(record.CONVERTERS, 0, from_zero)
    events = run(1, 2000)
    path = tmp_path / "old.jsonl"
    path.write_bytes(
        b'{"format":"cancelloscope","version":0}\n' + lines(*events).replace(b"chunk.received", b"chunk.got")
    )
    with Index(path) as index:
        assert list(index.events(1)) == events
        assert index.notes == ()


@pytest.mark.parametrize(("content", "says"), [(b"", "holds no events"), (b'{"t":', "after 0 events")])
def test_without_events_there_is_nothing_to_look_into(tmp_path: Path, content: bytes, says: str) -> None:
    path = written(tmp_path / "a.jsonl", content)
    with pytest.raises(RecordingError, match=says) as caught:
        Index(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_player_lets_go_of_runs_that_it_does_not_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.replay._EVENTS_KEPT", 120)
    runs = [run(number, 50) for number in range(1, 6)]
    with Index(written(tmp_path / "a.jsonl", lines(*(event for each in runs for event in each)))) as index:
        player = Player(index)
        player.seek(player.end)
        states = [player.log.run(number) for number in (1, 2, 3, 4, 5)]
        assert [state.lanes[0].chunks.read for state in states] == [50] * 5
        # Of five runs of 52 events the last two are still there; the others come back as they were.
        assert player.log.run(5) is states[4]
        assert player.log.run(4) is states[3]
        assert player.log.run(1) is not states[0]
        assert [player.log.run(number) for number in (1, 2, 3, 4, 5)] == states


def test_a_told_session_replays_from_its_file_as_from_memory(tmp_path: Path) -> None:
    events = kit.settled()
    with Index(written(tmp_path / "a.jsonl", lines(*events))) as index:
        from_file, held = Player(index), Player(events)
        for player in (from_file, held):
            player.seek(player.end)
        assert from_file.log.session == held.log.session
        assert from_file.log.run(1) == held.log.run(1)
        assert from_file.moments(1) == held.moments(1)
