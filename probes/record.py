"""Recordings: a header line, then one event a line, exactly as they came.

The file is append-only. A thread of its own writes it: ``Recorder.write`` only puts bytes into a list, so that a
disk that stalls holds up nobody who draws or measures. It writes twice a second and at every ``flush``; what a kill
of the process can lose is what came since. Killed at any byte, the file opens up to its last whole line.
"""

from __future__ import annotations

import errno
import gzip
import io
import json
import re
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from probes.codec import CodecError, decode
from probes.events import Event

FORMAT = "cancelloscope"
VERSION = 1

Header = dict[str, Any]
Converter = Callable[[Header, Iterator[bytes]], tuple[Header, Iterator[bytes]]]

CONVERTERS: dict[int, Converter] = {}
"""How a recording of an older version becomes one of the next: looped until it is of this ``VERSION``."""

_WRITE_EVERY = 0.5
_CLOSE_TIMEOUT = 10.0
_LONGEST_HEADER = 4 << 20
_LINE = 200
"""Bytes of a usual line."""
_UNFINISHED = "it ends in the middle of a line"
_GZIP_MAGIC = b"\x1f\x8b"


class RecordingError(Exception):
    """One line: which file, what is wrong, what would be right."""


# --- secrets ------------------------------------------------------------------------------------------

_IN_URL = re.compile(rb"(://[^/\s\"@:]*:)[^/\s\"]*(@)")
_AS_KEY = re.compile(rb"""(\b(?:pg)?password\s*=\s*)(?:'[^']*'|[^\s&"'\\]+)""", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` with the passwords of the DSNs in it replaced by ``***``, in URL and in keyword form."""
    return redact_bytes(text.encode()).decode()


def redact_bytes(data: bytes) -> bytes:
    """The same for UTF-8. Costs two searches where there is nothing to replace."""
    if b"://" in data:
        data = _IN_URL.sub(rb"\1***\2", data)
    if b"assword" in data or b"ASSWORD" in data:
        data = _AS_KEY.sub(rb"\1***", data)
    return data


# --- writing ------------------------------------------------------------------------------------------


class Recorder:
    """Writes one recording. ``on_error`` gets one line, once, from the writing thread; after it nothing is written.

    Raises RecordingError when the file cannot be made, or is there already and ``overwrite`` is not said.
    """

    def __init__(
        self,
        path: Path,
        header: Mapping[str, object],
        *,
        overwrite: bool = False,
        on_error: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.path = path
        self.error = ""
        self._on_error = on_error
        self._file = _create(path, overwrite=overwrite)
        # Appending to a deque and taking from it are atomic: no lock is held while the disk is waited for.
        self._blocks: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = False
        first = {"format": FORMAT, "version": VERSION, **header}
        self.write(json.dumps(first, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._put()
        if self.error:
            self._file.close()
            raise RecordingError(self.error)
        self._thread = threading.Thread(target=self._run, name=f"recorder {path.name}", daemon=True)
        self._thread.start()

    def write(self, lines: bytes) -> None:
        """Take whole lines with their newlines. Returns at once; passwords in DSNs do not get into the file."""
        if not self.error:
            self._blocks.append(lines)

    def flush(self) -> None:
        """Have it written now, without waiting for it."""
        self._wake.set()

    def end(self) -> None:
        """Have what is left written and the file closed, without waiting for it."""
        self._closing = True
        self._wake.set()

    def close(self) -> None:
        """``end``, and wait for it, at most ten seconds. Called again, it does nothing."""
        self.end()
        self._thread.join(_CLOSE_TIMEOUT)
        if self._thread.is_alive() and not self.error:
            self._fail(TimeoutError(f"not all was written within {_CLOSE_TIMEOUT:g} s"))

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(_WRITE_EVERY)
            self._wake.clear()
            self._put()
        self._put()
        try:
            self._file.close()
        except OSError as error:
            self._fail(error)

    def _put(self) -> None:
        lines = b"".join(self._blocks.popleft() for _ in range(len(self._blocks)))
        data = memoryview(redact_bytes(lines))
        try:
            while data and not self.error:
                data = data[self._file.write(data) :]
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        self.error = f"{self.path}: recording stopped: {what}"
        self._blocks.clear()
        self._on_error(self.error)


def _create(path: Path, *, overwrite: bool) -> io.FileIO:
    if path.suffix == ".gz":
        raise RecordingError(f"{path}: a recording is written as .jsonl; compress it when it is whole")
    try:
        return io.FileIO(path, "w" if overwrite else "x")
    except FileExistsError:
        raise RecordingError(f"{path}: is there already: choose another name, or say --overwrite") from None
    except OSError as error:
        raise RecordingError(f"{path}: cannot record there: {error.strerror or error}") from None


# --- reading ------------------------------------------------------------------------------------------


class Recording:
    """A recording that was opened: closed by ``with``, or when ``events`` is exhausted.

    ``truncated`` and ``unreadable`` are final only then.
    """

    def __init__(self, path: Path, header: Header, lines: _Lines, rest: Iterator[bytes]) -> None:
        self.path, self.header = path, header
        self._lines, self._rest = lines, rest
        self.unreadable = 0
        """Lines in the middle that are no events; left out."""
        self.first_unreadable = ""

    @property
    def truncated(self) -> str | None:
        """Why the recording ends before its writer meant it to; None for one that is whole."""
        return cut_note(self._lines.cut, self._lines.count - 1)

    @property
    def events(self) -> Iterator[Event]:
        """The events in the file's order. Can be taken once."""
        with self:
            for line in self._rest:
                try:
                    yield decode(line)
                except CodecError as error:
                    self.unreadable += 1
                    self.first_unreadable = self.first_unreadable or str(error)

    def blocks(self, size: int) -> Iterator[bytes]:
        """Instead of ``events``: their lines, whole ones in blocks of about ``size`` bytes. Whoever takes them counts
        them for ``cut_note``: ``truncated`` does not."""
        if self._rest is self._lines:
            yield from self._lines.blocks(size)
        else:
            while lines := list(islice(self._rest, size // _LINE)):
                yield b"\n".join(lines) + b"\n"

    @property
    def cut(self) -> str:
        """Why the last line is not whole, without their count; empty for a recording that is."""
        return self._lines.cut

    @property
    def file(self) -> io.BufferedReader | None:
        """The open file when ``blocks`` gives just what is in it; None for a packed one or one of an older version."""
        file = self._lines.file
        return file if isinstance(file, io.BufferedReader) and self._rest is self._lines else None

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()

    def notes(self) -> tuple[str, ...]:
        """What a reader should know of it, a line each; none for a recording that is whole."""
        return notes(self.truncated, self.unreadable, self.first_unreadable)


def notes(truncated: str | None, unreadable: int, first_unreadable: str) -> tuple[str, ...]:
    """The two things that can be said of a recording that is not whole."""
    left_out = f"{unreadable} unreadable lines were left out, the first: {first_unreadable}" if unreadable else ""
    return tuple(text for text in (truncated, left_out) if text)


def cut_note(why: str, events: int) -> str | None:
    return f"cut: {why}, after {max(0, events)} events" if why else None


def read(path: Path) -> Recording:
    """Open a recording, plain or gzipped (told by its content). Raises RecordingError."""
    lines = _Lines(path)
    try:
        header = _header(path, lines)
        rest: Iterator[bytes] = lines
        while header["version"] < VERSION:
            header, rest = CONVERTERS[header["version"]](header, rest)
    except BaseException:
        lines.close()
        raise
    return Recording(path, header, lines, rest)


def _header(path: Path, lines: _Lines) -> Header:
    first = next(lines, None)
    if first is None:
        raise RecordingError(f"{path}: {cut_note(lines.cut, 0) or 'is empty'}: there is no recording in it")
    try:
        header = json.loads(first)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise RecordingError(f"{path}: is no recording of cancelloscope")
    version = header.get("version")
    if not isinstance(version, int) or (version < VERSION and version not in CONVERTERS):
        raise RecordingError(f"{path}: has an unknown version of the format: {version!r}")
    if version > VERSION:
        raise RecordingError(f"{path}: is of version {version}, this program reads up to {VERSION}: upgrade it")
    return header


class _Lines:
    """Whole lines without their newline, ``count`` so far; says in ``cut`` why the last one was not whole."""

    def __init__(self, path: Path) -> None:
        self.cut = ""
        self.count = 0
        self.file = _open(path)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> bytes:
        # The first line is the header.
        line = self._take(self.file.readline, -1 if self.count else _LONGEST_HEADER)
        if line.endswith(b"\n"):
            self.count += 1
            return line[:-1]
        if line:
            self.cut = self.cut or _UNFINISHED
        raise StopIteration

    def blocks(self, size: int) -> Iterator[bytes]:
        """What is left, in blocks of whole lines with their newlines; they are not counted."""
        rest = b""
        # One read at a time: what came before an error is not lost with it.
        while block := self._take(self.file.read1, size):
            end = block.rfind(b"\n") + 1
            if end:
                yield rest + block[:end]
                rest = b""
            rest += block[end:]
        if rest:
            self.cut = self.cut or _UNFINISHED

    def close(self) -> None:
        self.file.close()

    def _take(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile, OSError) as error:
            self.cut = self.cut or f"the file cannot be read further ({str(error).rstrip('.')})"
            return b""


def _open(path: Path) -> io.BufferedReader | gzip.GzipFile:
    try:
        file = path.open("rb")
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    try:
        packed = file.peek(2)[:2] == _GZIP_MAGIC
    except OSError as error:
        file.close()
        raise RecordingError(f"{path}: {error.strerror or error}") from None
    if not packed:
        return file
    file.close()
    return gzip.open(path, "rb")
