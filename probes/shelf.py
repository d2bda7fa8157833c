"""Where the events of runs that are over wait until somebody looks at them again: a temporary file, not memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterable

from probes.codec import decode, encode
from probes.events import Event


class Shelf:
    """One block of lines a run. The file has no name, so nothing of it is left, however the process ends."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile() as file:
            self._fd = os.dup(file.fileno())
        self.close = weakref.finalize(self, os.close, self._fd)
        """Give the file up; by itself when nobody has the shelf any more."""
        self._size = 0
        self._places: dict[int, tuple[int, int]] = {}

    def put(self, run: int, events: Iterable[Event]) -> None:
        """Keep the events of a run, in this order, instead of what was kept of it. Raises OSError when there is no
        room; then what was kept before is still there."""
        lines = b"".join(encode(event) + b"\n" for event in events)
        view = memoryview(lines)
        while view:
            view = view[os.pwrite(self._fd, view, self._size + len(lines) - len(view)) :]
        self._places[run] = (self._size, len(lines))
        self._size += len(lines)

    def take(self, run: int) -> list[Event]:
        """The events of a run. Raises KeyError."""
        offset, size = self._places[run]
        return [decode(line) for line in os.pread(self._fd, size, offset).split(b"\n")[:-1]]
