"""``python -P -m app.lab``: one lab. Commands come on stdin, events leave on stdout (``app.commands``)."""

from __future__ import annotations

import os
import signal
import sys

# grpc's core writes to descriptor 2 by itself; it must be told before its first import.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# Children are started by exec. What its core would do for a fork breaks the connections that it has here.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


def main() -> int:
    import uvloop

    from app.lab.lab import serve

    # The terminal's Ctrl-C is the app's affair; it ends its lab by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    uvloop.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
