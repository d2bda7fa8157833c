"""What is found on this machine and what is missing, with the remedy."""

from __future__ import annotations

import asyncio
import json
import locale
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.header import versions
from app.pump import LabProcess
from probes.events import Event, TapCalibrated
from probes.fold import fold_session
from probes.record import redact
from probes.state import SessionState

_OLDEST = (3, 11)
_LAB_TIMEOUT = 30.0
_PORTS = 6
"""Servers for gRPC and HTTP, and four taps."""

_FIND_POSTGRES = """
from servers.pg_binaries import find_binaries
found = find_binaries()
print(found.version, found.bin)
"""

# Linux, include/uapi/linux/net_tstamp.h and asm-generic/socket.h; the socket module does not name them everywhere.
_SO_TIMESTAMPING = 37
_RX_SOFTWARE = 1 << 3
_SOFTWARE = 1 << 4
_STAMP_TRIES = 500
"""The kernel begins to stamp a moment after the first socket has asked for it (net_enable_timestamp defers it)."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. Without what is ``needed`` no run is possible."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    needed: bool = True


async def examine(dsn: str | None, make_lab: Callable[..., LabProcess] = LabProcess) -> list[Check]:
    """All checks; the last ones start a lab for a moment. ``dsn``: a PostgreSQL server of one's own."""
    checks = [_python(), _platform(), _kernel_stamps(), _ports(), _terminal(), *_libraries(), _cache()]
    checks.append(_postgres() if dsn is None else Check("PostgreSQL", True, f"given: {redact(dsn)}"))
    return [*checks, _keymap(), *await _lab(dsn, make_lab)]


def report(checks: Sequence[Check], form: str) -> str:
    """``table``: a line each, with the remedy where something is missing; ``json``: one object."""
    if form == "json":
        fine = all(check.ok or not check.needed for check in checks)
        return json.dumps({"ok": fine, "checks": [asdict(check) for check in checks]}, ensure_ascii=False)
    width = max(len(check.name) for check in checks)
    return "\n".join(_line(check, width) for check in checks)


def _line(check: Check, width: int) -> str:
    state = "ok" if check.ok else "missing" if check.needed else "without"
    remedy = f": {check.remedy}" if check.remedy and not check.ok else ""
    return f"{check.name:<{width}}  {state:<7}  {check.detail}{remedy}"


# --- what can be seen from here -----------------------------------------------------------------------


def _python() -> Check:
    wanted = ".".join(map(str, _OLDEST))
    return Check(
        "Python", sys.version_info >= _OLDEST, platform.python_version(), f"version {wanted} or newer is needed"
    )


def _platform() -> Check:
    text = f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores"
    return Check("platform", sys.platform in ("linux", "darwin"), text, "Linux or macOS is needed (on Windows: WSL)")


def _kernel_stamps() -> Check:
    try:
        stamped = _is_stamped()
    except OSError as error:
        return _no_stamps(f"SO_TIMESTAMPING: {error.strerror or error}")
    return Check("kernel stamps", True, "SO_TIMESTAMPING on loopback", needed=False) if stamped else _no_stamps("none")


def _no_stamps(detail: str) -> Check:
    remedy = "the wire's stamps are taken by the program, later and less exactly; Linux has better ones"
    return Check("kernel stamps", False, detail, remedy, needed=False)


def _is_stamped() -> bool:
    """Whether a byte that is received over TCP on loopback comes with the kernel's time."""
    if not sys.platform.startswith("linux"):
        return False
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            peer.settimeout(2.0)
            peer.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, struct.pack("i", _RX_SOFTWARE | _SOFTWARE))
            return any(_stamp_comes(client, peer) for _ in range(_STAMP_TRIES))


def _stamp_comes(client: socket.socket, peer: socket.socket) -> bool:
    client.sendall(b"x")
    _, ancillary, _, _ = peer.recvmsg(1, 512)
    return any(kind == _SO_TIMESTAMPING for _, kind, _ in ancillary)


def _ports() -> Check:
    servers = []
    try:
        for _ in range(_PORTS):
            servers.append(socket.create_server(("127.0.0.1", 0)))  # noqa: PERF401 - those made so far must be closed
    except OSError as error:
        return Check("ports", False, error.strerror or str(error), "free ports on 127.0.0.1 are needed")
    finally:
        for server in servers:
            server.close()
    return Check("ports", True, f"{_PORTS} free ones on 127.0.0.1")


def _terminal() -> Check:
    size = shutil.get_terminal_size()
    colours = {"truecolor": "16 million", "24bit": "16 million"}.get(os.environ.get("COLORTERM", ""), "")
    colours = colours or ("256" if "256" in os.environ.get("TERM", "") else "few")
    encoding = locale.getpreferredencoding(False)
    problems = []
    if not sys.stdout.isatty():
        problems.append("this is no terminal, the console needs one")
    if size.columns < 80 or size.lines < 24:
        problems.append("make it at least 80x24")
    if encoding.upper().replace("-", "") != "UTF8":
        problems.append("set a UTF-8 locale, like LANG=C.UTF-8")
    text = f"{size.columns}x{size.lines}, {colours} colours, {encoding}"
    return Check("terminal", not problems, text, "; ".join(problems), needed=False)


def _libraries() -> list[Check]:
    return [
        Check(name, found != "not installed", found, f"install it: pip install {name}")
        for name, found in versions().items()
    ]


def _cache() -> Check:
    import platformdirs

    path = platformdirs.user_cache_path("cancelloscope")
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    remedy = "without it PostgreSQL is made anew at every start, which takes a second; set XDG_CACHE_HOME"
    return Check("cache directory", os.access(there, os.W_OK) and there.is_dir(), _short(path), remedy, needed=False)


def _keymap() -> Check:
    from app.keymap import KeymapError, load, user_file

    try:
        load()
    except KeymapError as error:
        return Check("keys", False, str(error), "mend or remove the file", needed=False)
    place = _short(user_file())
    return Check(
        "keys", True, place if user_file().exists() else f"as shipped; yours would be in {place}", needed=False
    )


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def _postgres() -> Check:
    # In a process of its own: the app does not know the servers.
    done = subprocess.run(
        [sys.executable, "-P", "-c", _FIND_POSTGRES], capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode == 0:
        found, _, place = done.stdout.strip().partition(" ")
        return Check("PostgreSQL", True, f"{found}, programs in {_short(Path(place))}")
    words = (done.stderr.strip().splitlines() or ["its programs cannot be looked for"])[-1]
    return Check("PostgreSQL", False, words.rpartition("PgError: ")[2])


# --- what only a lab can tell -------------------------------------------------------------------------


async def _lab(dsn: str | None, make_lab: Callable[..., LabProcess]) -> list[Check]:
    session = SessionState()
    hops: list[TapCalibrated] = []
    changed = asyncio.Event()

    def take(events: list[Event]) -> None:
        nonlocal session
        for event in events:
            session = fold_session(session, event)
            if isinstance(event, TapCalibrated):
                hops.append(event)
        changed.set()

    lab = make_lab(take, dsn=dsn)
    try:
        await lab.start()
        async with asyncio.timeout(_LAB_TIMEOUT):
            while not (session.ready or lab.given_up or _failed(session)):
                await changed.wait()
                changed.clear()
    except TimeoutError:
        pass
    except OSError as error:
        return [Check("lab", False, f"cannot be started: {error}")]
    finally:
        await lab.stop()
    return [_lab_check(session, lab.given_up), _tap_check(hops)]


def _failed(session: SessionState) -> str:
    return "; ".join(f"{part.part}: {part.detail}" for part in session.parts if part.state == "failed")


def _lab_check(session: SessionState, given_up: str) -> Check:
    if session.ready:
        return Check("lab", True, f"ready, PostgreSQL {session.versions.get('postgresql', '?')}")
    waiting = ", ".join(f"{part.part} is {part.state}" for part in session.parts if part.state == "starting")
    return Check("lab", False, given_up or _failed(session) or f"not ready within {_LAB_TIMEOUT:g} s: {waiting}")


def _tap_check(hops: list[TapCalibrated]) -> Check:
    if not hops:
        return Check("tap", False, "not calibrated", "see the lab's line above")
    hop = hops[-1]
    stamps = "kernel stamps" if hop.kernel_stamps else "the program's own stamps"
    return Check("tap", True, f"a hop costs {hop.median_ns / 1e3:.0f} µs (p95 {hop.p95_ns / 1e3:.0f} µs), {stamps}")
