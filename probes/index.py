"""A recording that is looked into here and there: it stays in its file, and one run at a time is decoded.

Opening goes through the file once and decodes no more than the heads of its lines, half a microsecond a line all in
all: then it is known which run is in which blocks. Only the session's own events are kept. A file that is packed, or
of an older version, is unpacked into a temporary one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from probes.archive import Span
from probes.codec import CodecError, Head, decode, heads
from probes.events import TICKS, Event, kind_of
from probes.fold import SESSION_KINDS, order_key
from probes.record import RecordingError, cut_note, notes, read

_BLOCK = 1 << 16
_TICKS = frozenset(kind_of(kind) for kind in TICKS)
_SESSION = frozenset(kind_of(kind) for kind in SESSION_KINDS)
Choice = Callable[[Sequence[Head]], Iterable[bool]]
"""For each head whether its line is to be decoded."""

_time_of, _kind_of, _run_of = attrgetter("t"), attrgetter("kind"), attrgetter("run")


class Block(NamedTuple):
    """Whole lines of the file. ``edges``: not all of them are ticks."""

    offset: int
    size: int
    edges: bool


class _Places:
    """Where a run is: in the file, and in time (ns)."""

    def __init__(self, first: int) -> None:
        self.blocks: list[Block] = []
        self.first = self.last = first

    def add(self, block: Block, times: Sequence[int]) -> None:
        self.blocks.append(block)
        first, last = min(times), max(times)
        self.first, self.last = min(self.first, first), max(self.last, last)


class Index:
    """An ``Archive`` over a recording, whose file is open until ``close``.

    Raises RecordingError when it is none or has no events, OSError when there is no room to unpack it.
    """

    def __init__(self, path: Path) -> None:
        self._recording = read(path)
        self._spool = None if self._recording.file else tempfile.TemporaryFile()  # noqa: SIM115 - until close
        self._places: dict[int, _Places] = {}
        self._unreadable: dict[tuple[int, int], str] = {}
        """Why a line is no event, by its block's offset and its number there."""
        self._count = 0
        try:
            self.session: Sequence[Event] = sorted(self._scan(), key=order_key)
            if not self._places:
                raise RecordingError(f"{path}: {self._truncated or 'the recording holds no events'}")
        except BaseException:
            self.close()
            raise
        spans = {run: Span(found.first, found.last) for run, found in self._places.items()}
        self.header = self._recording.header
        self.whole = Span(min(span.first for span in spans.values()), max(span.last for span in spans.values()))
        self.spans: Mapping[int, Span] = {run: spans[run] for run in sorted(spans, key=spans.__getitem__) if run}

    def close(self) -> None:
        self._recording.close()
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _truncated(self) -> str | None:
        return cut_note(self._recording.cut, self._count)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know. A line whose head alone can be read is found out when its run is looked at."""
        return notes(self._truncated, len(self._unreadable), next(iter(self._unreadable.values()), ""))

    # --- looking --------------------------------------------------------------------------------------

    def events(self, run: int) -> Sequence[Event]:
        """All events of a run, in order. Raises KeyError."""
        blocks = self._places[run].blocks
        return self._look(blocks, lambda found: map(run.__eq__, map(_run_of, found)), lambda event: event.run == run)

    def edges(self, run: int) -> Sequence[Event]:
        """The same without the ticks."""
        return self._look(
            [block for block in self._places[run].blocks if block.edges],
            lambda found: (head.run == run and head.kind not in _TICKS for head in found),
            lambda event: event.run == run and type(event) not in TICKS,
        )

    def _look(self, blocks: Sequence[Block], choose: Choice, right: Callable[[Event], bool]) -> Sequence[Event]:
        found: list[Event] = []
        file = self._spool or self._recording.file
        assert file is not None
        for block in blocks:
            lines = os.pread(file.fileno(), block.size, block.offset)
            found += filter(right, self._decoded(block.offset, lines, _heads(lines), choose))
        return sorted(found, key=order_key)

    def _decoded(self, offset: int, lines: bytes, found: Sequence[Head], choose: Choice) -> Iterator[Event]:
        """The events of a block that are chosen by their heads; all of them where it is not sure which is whose."""
        each = lines.split(b"\n")[:-1]
        chosen: Iterable[tuple[int, bytes]] = enumerate(each)
        if len(found) == len(each):
            chosen = compress(chosen, choose(found))
        for number, line in chosen:
            try:
                yield decode(line)
            except CodecError as error:
                self._unreadable.setdefault((offset, number), str(error))

    # --- going through it once ------------------------------------------------------------------------

    def _scan(self) -> Iterator[Event]:
        """Find what is where; gives the session's own events."""
        file = self._recording.file
        offset = 0 if file is None else file.tell()
        for lines in self._recording.blocks(_BLOCK):
            if self._spool is not None:
                self._spool.write(lines)
            yield from self._add(offset, lines)
            offset += len(lines)
        if self._spool is not None:
            self._spool.flush()

    def _add(self, offset: int, lines: bytes) -> Iterator[Event]:
        found = _heads(lines)
        if not found:
            events = list(self._decoded(offset, lines, (), _all))
            found = [Head(t=event.t, kind=kind_of(type(event)), run=event.run) for event in events]
            self._count += lines.count(b"\n") - len(found)
        self._count += len(found)
        kinds = set(map(_kind_of, found))
        self._place(Block(offset, len(lines), not kinds <= _TICKS), found)
        if not kinds.isdisjoint(_SESSION):
            session = self._decoded(offset, lines, found, _of_session)
            yield from (event for event in session if type(event) in SESSION_KINDS)

    def _place(self, block: Block, found: Sequence[Head]) -> None:
        runs, times = list(map(_run_of, found)), list(map(_time_of, found))
        for run in set(runs):
            # The lines of a run mostly follow each other, and then none of them is looked at one by one.
            first, count = runs.index(run), runs.count(run)
            own = times[first : first + count]
            if runs[first : first + count].count(run) < count:
                own = [t for t, other in zip(times, runs, strict=True) if other == run]
            self._places.setdefault(run, _Places(own[0])).add(block, own)


def _all(found: Sequence[Head]) -> Iterable[bool]:
    return repeat(True, len(found))


def _of_session(found: Sequence[Head]) -> Iterable[bool]:
    return map(_SESSION.__contains__, map(_kind_of, found))


def _heads(lines: bytes) -> Sequence[Head]:
    """None where a line has none."""
    try:
        return heads(lines)
    except CodecError:
        return ()
