"""What the kernel knows about a socket: when it received bytes, and that the far side has hung up.

Software receive stamps (SO_TIMESTAMPING) work for TCP on Linux's loopback: ``recvmsg`` returns the time at
which the kernel got the last of the bytes read, about 12 us after they were sent, however late the loop
reads them. FIN and RST carry no stamp. Kernel documentation: networking/timestamping.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import select
import socket
import struct
import sys
import termios

_SO_TIMESTAMPING = 37
_RX_SOFTWARE = 1 << 3
_SOFTWARE = 1 << 4
_ANCILLARY = socket.CMSG_SPACE(3 * 16) if hasattr(socket, "CMSG_SPACE") else 0
_TIMESPEC = struct.Struct("qq")
_LINGER_OFF = struct.pack("ii", 1, 0)
_DRAIN_READS = 256

AVAILABLE = sys.platform == "linux" and struct.calcsize("l") == 8
"""Whether this platform has kernel stamps in the form read here."""


def enable_stamps(sock: socket.socket) -> bool:
    """Ask for receive stamps; accepted sockets inherit it from their listener. False where there are none."""
    if not AVAILABLE:
        return False
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _RX_SOFTWARE | _SOFTWARE)
    except OSError:
        return False
    return True


def receive(sock: socket.socket, size: int) -> tuple[bytes, int | None]:
    """Up to ``size`` bytes and the kernel's CLOCK_REALTIME stamp of the last of them in ns, if it gave one.

    Raises what ``recvmsg`` raises: BlockingIOError, ConnectionResetError, ...
    """
    if not AVAILABLE:
        return sock.recv(size), None
    data, ancillary, _flags, _peer = sock.recvmsg(size, _ANCILLARY)
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING:
            seconds, nanoseconds = _TIMESPEC.unpack_from(value)
            return data, seconds * 1_000_000_000 + nanoseconds
    return data, None


def reset(sock: socket.socket) -> None:
    """Close with RST instead of FIN (SO_LINGER with a time of zero)."""
    # An error means that the far side has reset it already: there is nobody left to tell.
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_OFF)
    sock.close()


def finish(sock: socket.socket) -> None:
    """Close with FIN. A plain close would send RST where bytes are unread (RFC 2525 section 2.17): they are dropped."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        # Bounded, because whoever sends faster than this reads would never let it end.
        for _ in range(_DRAIN_READS):
            if not sock.recv(1 << 16):
                break
    sock.close()


def unread(sock: socket.socket) -> int:
    """Bytes that the kernel has received and nobody has read."""
    count = array.array("i", [0])
    with contextlib.suppress(OSError):
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, count)
    return count[0]


class HangupWatch:
    """Tells of FIN and RST on sockets that are not being read, where a reader would not notice (EPOLLRDHUP).

    One epoll for all sockets of a tap; the loop watches its descriptor. Does nothing where there is no epoll.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None

    def fileno(self) -> int | None:
        return None if self._epoll is None else self._epoll.fileno()

    def add(self, sock: socket.socket) -> None:
        if self._epoll is not None:
            self._epoll.register(sock.fileno(), select.EPOLLRDHUP | select.EPOLLET)

    def discard(self, sock: socket.socket) -> None:
        if self._epoll is not None and sock.fileno() >= 0:
            self._epoll.unregister(sock.fileno())

    def poll(self) -> list[tuple[int, str]]:
        """(descriptor, ``FIN`` or ``RST``) of what hung up since the last call."""
        if self._epoll is None:
            return []
        return [(fd, _hangup(events)) for fd, events in self._epoll.poll(0)]

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()


def hung_up(sock: socket.socket) -> str:
    """``FIN``, ``RST`` or nothing: how ``sock`` stands now."""
    if not hasattr(select, "POLLRDHUP"):
        return ""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLRDHUP)
    found = poll.poll(0)
    return _hangup(found[0][1]) if found else ""


def _hangup(events: int) -> str:
    # The bits of poll and epoll are the same; ERR is always reported, asked for or not.
    return "RST" if events & select.POLLERR else "FIN"
