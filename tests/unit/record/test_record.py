"""What is written can be read, to the last whole line, whatever happened to the file."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes import record
from probes.codec import encode
from probes.events import Event, Note
from probes.record import Header, Recorder, RecordingError, read, redact

EVENTS: list[Event] = [Note(t=n, err=0, src="lab", seq=n, text=f"line {n} ü") for n in range(1, 6)]
LINES = b"".join(encode(event) + b"\n" for event in EVENTS)


def written(path: Path, lines: bytes = LINES, **header: object) -> Path:
    recorder = Recorder(path, {"created": "now", **header})
    recorder.write(lines)
    recorder.close()
    assert not recorder.error
    return path


def test_a_recording_holds_its_header_and_the_lines_as_they_came(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", seed=7)
    assert path.read_bytes().partition(b"\n")[2] == LINES
    recording = read(path)
    assert recording.header == {"format": "cancelloscope", "version": 1, "created": "now", "seed": 7}
    assert list(recording.events) == EVENTS
    assert (recording.truncated, recording.unreadable, recording.notes()) == (None, 0, ())


def test_a_gzipped_one_is_told_by_its_content(tmp_path: Path) -> None:
    packed = tmp_path / "renamed.jsonl"
    packed.write_bytes(gzip.compress(written(tmp_path / "a.jsonl").read_bytes()))
    assert list(read(packed).events) == EVENTS


def test_cut_at_any_byte_it_opens_up_to_the_last_whole_line(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.jsonl").read_bytes()
    start = whole.index(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for size in range(start, len(whole) + 1):
        cut.write_bytes(whole[:size])
        recording = read(cut)
        events = list(recording.events)
        assert events == EVENTS[: whole[start:size].count(b"\n")]
        assert (recording.truncated is None) == whole[:size].endswith(b"\n")
    assert recording.truncated is None
    cut.write_bytes(whole[:-3])
    recording = read(cut)
    assert len(list(recording.events)) == 4
    assert recording.notes() == ("cut: it ends in the middle of a line, after 4 events",)


def test_a_cut_gzip_opens_as_far_as_it_unpacks(tmp_path: Path) -> None:
    body = b"".join(encode(Note(t=n, err=0, src="lab", seq=n, text=f"{n * 7919}")) + b"\n" for n in range(3000))
    packed = gzip.compress(written(tmp_path / "a.jsonl", body).read_bytes())
    cut = tmp_path / "a.jsonl.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    recording = read(cut)
    events = list(recording.events)
    assert 0 < len(events) < 3000
    assert [event.seq for event in events] == list(range(len(events)))
    assert recording.truncated is not None
    assert f"after {len(events)} events" in recording.truncated


def test_an_unreadable_line_in_the_middle_is_counted_and_said(tmp_path: Path) -> None:
    lines = LINES.splitlines(keepends=True)
    path = written(tmp_path / "a.jsonl", lines[0] + b"not json\n\xff\n" + b'{"kind":"future"}\n' + lines[1])
    recording = read(path)
    assert list(recording.events) == EVENTS[:2]
    assert recording.unreadable == 3
    assert recording.notes()[0].startswith("3 unreadable lines were left out, the first: ")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty: there is no recording in it"),
        (b"hello\n", "is no recording of cancelloscope"),
        (b"[1]\n", "is no recording of cancelloscope"),
        (b'{"format":"other","version":1}\n', "is no recording of cancelloscope"),
        (
            b'{"format":"cancelloscope","version":2}\n',
            "is of version 2, this program reads up to 1: upgrade it",
        ),
        (b'{"format":"cancelloscope","version":"x"}\n', "has an unknown version of the format: 'x'"),
        (b'{"format":"cancelloscope","version":0}\n', "has an unknown version of the format: 0"),
        (b'{"format":"cancellosc', "cut: it ends in the middle of a line, after 0 events: there is no recording"),
        (b"\x1f\x8b\x08nonsense", "there is no recording in it"),
        (b"\xff\xfe\n", "is no recording of cancelloscope"),
        (b"[" * 100_000 + b"\n", "is no recording of cancelloscope"),
    ],
)
def test_what_is_no_recording_gets_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert says in text
    assert "\n" not in text


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        read(tmp_path / "gone.jsonl")
    with pytest.raises(RecordingError, match="Is a directory"):
        read(tmp_path)


def test_an_older_version_is_converted_step_by_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_minus_one(header: Header, lines: Iterator[bytes]) -> tuple[Header, Iterator[bytes]]:
        return {**header, "version": 0}, (line.replace(b"tekst", b"txet") for line in lines)

    def from_zero(header: Header, lines: Iterator[bytes]) -> tuple[Header, Iterator[bytes]]:
        return {**header, "version": 1, "created": "long ago"}, (line.replace(b"txet", b"text") for line in lines)

    monkeypatch.setitem(record.CONVERTERS, -1, from_minus_one)
    monkeypatch.setitem(record.CONVERTERS, 0, from_zero)
    path = tmp_path / "old.jsonl"
    path.write_bytes(b'{"format":"cancelloscope","version":-1}\n' + LINES.replace(b"text", b"tekst"))
    recording = read(path)
    assert recording.header["created"] == "long ago"
    assert list(recording.events) == EVENTS


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl")
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="is there already"):
        Recorder(path, {})
    assert path.read_bytes() == before
    Recorder(path, {}, overwrite=True).close()
    assert list(read(path).events) == []


@pytest.mark.parametrize(("name", "says"), [("no/such/dir.jsonl", "No such file"), ("a.jsonl.gz", "written as .jsonl")])
def test_where_it_cannot_be_made(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        Recorder(tmp_path / name, {})


def test_a_full_disk_is_said_once_and_later_lines_are_let_go() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(RecordingError, match="the disk is full"):
        Recorder(full, {}, overwrite=True)


def test_a_disk_that_fills_in_mid_recording_ends_the_recording_only(tmp_path: Path) -> None:
    said: list[str] = []
    told = threading.Event()
    path = tmp_path / "a.jsonl"

    def on_error(text: str) -> None:
        said.append(text)
        told.set()

    recorder = Recorder(path, {}, on_error=on_error)
    recorder._file.close()
    recorder._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, PTH123 - the recorder closes it
    for _ in range(3):
        recorder.write(LINES)
        recorder.flush()
    assert told.wait(5)
    recorder.write(LINES)
    recorder.close()
    assert said == [f"{path}: recording stopped: the disk is full"]
    assert recorder.error == said[0]


def test_it_is_on_the_disk_within_a_second_without_being_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    recorder = Recorder(path, {})
    began = time.monotonic()
    recorder.write(LINES)
    while not path.read_bytes().endswith(LINES):
        assert time.monotonic() - began < 1.0
        threading.Event().wait(0.02)
    recorder.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgres://me:p@ss@host/db?x=1", "postgres://me:***@host/db?x=1"),
        ("postgresql://host/db?user=me&password=s3cret&x=1", "postgresql://host/db?user=me&password=***&x=1"),
        ("host=h password=s3cret user=me", "host=h password=*** user=me"),
        ("host=h password='s3 cret' user=me", "host=h password=*** user=me"),
        ("PGPASSWORD=s3cret psql", "PGPASSWORD=*** psql"),
        ("http://127.0.0.1:80/a@b", "http://127.0.0.1:80/a@b"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_dsns_lose_their_passwords(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_password_does_not_get_into_the_file(tmp_path: Path) -> None:
    event = Note(t=1, err=0, src="lab", seq=1, text='cannot reach "postgresql://me:s3cret@host/db"')
    path = written(tmp_path / "a.jsonl", encode(event) + b"\n", pg="postgresql://me:s3cret@host/db")
    assert b"s3cret" not in path.read_bytes()
    (back,) = read(path).events
    assert isinstance(back, Note)
    assert back.text == 'cannot reach "postgresql://me:***@host/db"'
