"""A command in a pseudo-terminal that answers as modern terminals do and is read as fast as it prints."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import time

FRAME_END = b"\x1b[?2026l"
"""Closes every frame, because this terminal says that it knows synchronized output."""

_ASKED, _ANSWER = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
_BLOCK = 1 << 16


class Terminal:
    """Runs ``argv`` in ``columns`` x ``rows`` cells, from inside a running loop. ``with`` ends the command."""

    def __init__(self, *argv: str, columns: int = 100, rows: int = 30, pass_fds: tuple[int, ...] = ()) -> None:
        self._fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
        self.output = bytearray()
        self._mark = 0
        self._news, self._gone = asyncio.Event(), False
        self.began = time.monotonic_ns()
        """The instant before the command was started."""
        self.frames: list[int] = []
        """When the end of each frame was read (ns, monotonic)."""
        self.read_ns = 0
        """When something was last read."""
        self.process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"},
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - one system call, no lock is touched
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def press(self, keys: bytes) -> int:
        """Type ``keys``. Returns the instant before (ns, monotonic)."""
        now = time.monotonic_ns()
        os.write(self._fd, keys)
        return now

    def clear(self) -> None:
        """Forget what was printed so far."""
        self._mark = len(self.output)

    async def until(self, *texts: bytes, timeout: float = 30.0) -> int:
        """Until each of ``texts`` was printed since ``clear``: when that was read (ns, monotonic).

        Raises TimeoutError, and EOFError when the command ends before.
        """
        try:
            async with asyncio.timeout(timeout):
                while not all(self.output.find(text, self._mark) >= 0 for text in texts):
                    if self._gone:
                        raise EOFError(f"it ended: {bytes(self.output[-400:])!r}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise TimeoutError(f"{texts!r} did not come: {bytes(self.output[-400:])!r}") from None
        return self.read_ns

    async def status(self, timeout: float = 30.0) -> int:
        """The command's exit status, when it has ended and everything is read."""
        async with asyncio.timeout(timeout):
            while not self._gone:
                self._news.clear()
                await self._news.wait()
        return self.process.wait(timeout)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._gone:
            asyncio.get_running_loop().remove_reader(self._fd)
        # The terminal is closed: what still runs in it is hung up on.
        os.close(self._fd)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
            return
        self.process.kill()
        self.process.wait()

    def _read(self) -> None:
        try:
            block = os.read(self._fd, _BLOCK)
        except OSError:
            # Linux says EIO when the last descriptor of the other side is closed.
            block = b""
        self.read_ns = time.monotonic_ns()
        self._news.set()
        if not block:
            self._gone = True
            asyncio.get_running_loop().remove_reader(self._fd)
            return
        seen = max(0, len(self.output) - len(FRAME_END) + 1)
        self.output += block
        self.frames += [self.read_ns] * self.output.count(FRAME_END, seen)
        if _ASKED in block:
            os.write(self._fd, _ANSWER)


def _take_terminal() -> None:
    """In the child: its terminal is the one that hangs up on it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
