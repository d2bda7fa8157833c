"""What the kernel says of this machine's sockets (proc(5), /proc/net/tcp); nothing where there is no such table."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_TABLE = Path("/proc/net/tcp")
_SYN_SENT = "02"

TELLS = _TABLE.exists()
"""Whether there is a table to look at."""


def waiting_for_syn(address: tuple[str, int]) -> int:
    """How many sockets have sent a SYN to ``address`` that nobody has answered."""
    if not TELLS:
        return 0
    host, port = address
    wanted = f"{struct.unpack('=I', socket.inet_aton(host))[0]:08X}:{port:04X}"
    rows = (line.split() for line in _TABLE.read_text().splitlines()[1:])
    return sum(row[2] == wanted and row[3] == _SYN_SENT for row in rows)
