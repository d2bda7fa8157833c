"""``python -P -m servers [NAME]``: the gRPC and HTTP servers in a process of their own (``servers.process``), which is
called ``NAME`` as the source of its events."""

from __future__ import annotations

import os
import signal
import stat
import sys

# grpc's core writes to descriptor 2 by itself; it must be told before its first import.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")


def main() -> int:
    if not _is_pipe(0):
        print("servers: stdin must be a pipe: its end of file ends this process", file=sys.stderr)
        return 2
    import uvloop

    from servers.process import Process, watch_stdin

    # The terminal's Ctrl-C is the app's affair; it ends its servers by closing the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watch_stdin()

    async def serve() -> None:
        await Process(*sys.argv[1:2]).run()
        # Everything is said. To end the loop in order would be to wait for whatever does not want to end.
        os._exit(0)

    uvloop.run(serve())
    return 0


def _is_pipe(fd: int) -> bool:
    """A pipe, a socket or a terminal: what an event loop can watch. libuv aborts the process on anything else."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


if __name__ == "__main__":
    sys.exit(main())
