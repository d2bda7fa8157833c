"""The lines of a session on their way into a recording, or kept for one that begins later."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from probes.events import TICKS, Event, RunEnded
from probes.record import Recorder

_SESSION_LINES = 2000


class Tape:
    """Where lines are recorded, and what a recording that starts later must begin with."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._ended: list[Recorder] = []
        self._session: deque[bytes] = deque(maxlen=_SESSION_LINES)
        self._run: list[bytes] = []
        self.open_run = 0
        """The run that was asked for and has not ended."""

    @property
    def path(self) -> Path | None:
        return None if self._recorder is None else self._recorder.path

    def start(self, recorder: Recorder) -> None:
        self._recorder = recorder
        for line in (*self._session, *self._run):
            recorder.write(line + b"\n")

    def stop(self) -> None:
        """End the recording; its last lines are written in the background."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.end()
            self._ended.append(recorder)

    def close(self) -> None:
        """``stop``, and wait until everything is written."""
        self.stop()
        for recorder in self._ended:
            recorder.close()

    def write(self, lines: bytes) -> None:
        if self._recorder is not None:
            self._recorder.write(lines)

    def remember(self, event: Event, line: bytes) -> None:
        """Keep what a later recording needs; at a run's end, have the recorder write."""
        if not event.run:
            if type(event) not in TICKS:
                self._session.append(line)
            return
        if event.run == self.open_run:
            self._run.append(line)
        if isinstance(event, RunEnded) and event.run == self.open_run:
            self.open_run = 0
            self._run = []
            if self._recorder is not None:
                self._recorder.flush()
