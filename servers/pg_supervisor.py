"""The parent of one embedded ``postgres``: starts it, watches it, and lets nothing of it survive.

Run as ``python -I -S pg_supervisor.py SPEC`` in a session of its own, so that a terminal's Ctrl-C does not reach
it. Single-threaded, standard library only. SPEC is JSON: ``binaries``, ``parts``, ``places``, ``settings``.
stdin is the watchdog: at its end of file, when the lab closes it or dies in any way, PostgreSQL is shut
down. stdout carries JSON lines:

    {"event": "step", "detail": ...}                  what it does now
    {"event": "postgres", "pid": ...}                 a postmaster was started
    {"event": "ready", "port", "password", "cached"}  it takes connections
    {"event": "ended", "status": ...}                 the postmaster is gone
    {"event": "refused", "reason": ...}               there will be no server, and why

What dies, and who then ends the rest:
* the lab: end of file here; SIGINT, after 3 s SIGQUIT, after 3 s SIGKILL (PostgreSQL documentation, 18.5);
* this process: the kernel sends the postmaster SIGQUIT (PR_SET_PDEATHSIG), which takes its backends with it;
* the postmaster: its idle backends notice by themselves, a busy one does not for seconds. Backends call setsid, so
  no process group reaches them; as this process is a subreaper they become its children, and are killed.
Both prctl calls are Linux only. Elsewhere the pipe remains, and a busy backend of a killed postmaster ends later.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

# -I keeps this file's folder off the path. Appended, so that the standard library comes first.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from servers import pg_cluster

_LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0
_libc = ctypes.CDLL(None)
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_READY_POLL = 0.003
_PORTS = 8
_GRACE = 2.0
_STOP = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 2.0))


class Over(Exception):
    """The lab is gone, has closed the pipe, or somebody sent SIGTERM."""


class Watch:
    """Waits for the first of: end of file on stdin, a signal, the end of a child, a timeout."""

    def __init__(self) -> None:
        self._over = False
        self._wakeup, signals = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(signals, False)
        signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
        # Handlers, not SIG_IGN: an ignored signal would stay ignored in the children.
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)

    def wait(self, timeout: float | None = None) -> None:
        """Wait up to ``timeout`` seconds. Raises Over, at every call once it is over."""
        if not self._over and 0 in self._select([0, self._wakeup], timeout):
            try:
                self._over = os.read(0, 4096) == b""
            except OSError:
                # A socket pair whose other end died with unread data in it.
                self._over = True
        if self._over:
            raise Over

    def ends(self, child: subprocess.Popen[bytes], timeout: float) -> bool:
        """Whether ``child`` ends within ``timeout`` seconds, whatever becomes of the lab meanwhile."""
        deadline = time.monotonic() + timeout
        while child.poll() is None and (left := deadline - time.monotonic()) > 0:
            self._select([self._wakeup], left)
        return child.poll() is not None

    def _select(self, fds: list[int], timeout: float | None) -> list[int]:
        ready = select.select(fds, [], [], timeout)[0]
        if self._wakeup in ready:
            with suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        return ready

    def _end(self, *_: object) -> None:
        self._over = True


def say(event: str, **fields: Any) -> None:
    """One line to the lab. Nobody may be there any more, which changes nothing for us."""
    with suppress(OSError):
        os.write(1, (json.dumps({"event": event, **fields}) + "\n").encode())


class Server:
    """One cluster in its slot, and the processes started for it."""

    def __init__(self, slot: pg_cluster.Slot, programs: Path, account: pg_cluster.Account | None, watch: Watch) -> None:
        self._slot, self._programs, self._account, self._watch = slot, programs, account, watch
        self._log = os.open(slot.path / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        self.child: subprocess.Popen[bytes] | None = None

    def run(self, settings: dict[str, str]) -> None:
        """Start, report and wait for the end of the postmaster. Raises Over and pg_cluster.Refused."""
        password = pg_cluster.usable_password(self._slot)
        cached = bool(password)
        port = self._start(settings) if cached else 0
        if cached and not port:
            cached = False
            say("step", detail=f"the cached cluster does not start: {pg_cluster.last_words(self._slot)}")
        if not port:
            say("step", detail="initdb")
            password = pg_cluster.make_cluster(self._slot, self._initdb, self._account)
            port = self._start(settings)
        if self.child is None:
            raise pg_cluster.Refused(f"postgres does not start: {pg_cluster.last_words(self._slot)}; use --pg DSN")
        say("ready", port=port, password=password, cached=cached)
        while self.child.poll() is None:
            self._watch.wait()

    def stop(self) -> None:
        """End the postmaster, then whatever of its family has come to us."""
        child = self.child
        if child is not None:
            for number, seconds in _STOP:
                if child.poll() is None:
                    child.send_signal(number)
                    self._watch.ends(child, seconds)
            say("ended", status=_status(child.returncode))
        kill_adopted()
        if child is not None and child.returncode == -signal.SIGKILL:
            self._release_segment(child.pid)
        os.close(self._log)

    def _initdb(self, arguments: list[str]) -> int:
        child = self._spawn("initdb", arguments, signal.SIGKILL)
        try:
            while child.poll() is None:
                self._watch.wait()
        finally:
            if child.poll() is None:
                # The server that it was talking to sees its end of file, and removes its shared memory by itself.
                child.kill()
                child.wait()
                kill_adopted(grace=_GRACE)
        return child.returncode

    def _start(self, settings: dict[str, str]) -> int:
        """Start postgres and return its port when it is ready, or 0 when it ends instead.

        There is no port 0 for postgres: a port that was free a moment ago can be taken, then another is tried.
        """
        pg_cluster.note_boot(self._slot)
        # We hold the lock, so no process of this cluster lives. PostgreSQL would ask whether the pid in the file
        # does, and refuse to start when it is another process's by now or a zombie that nobody reaps.
        (self._slot.data / "postmaster.pid").unlink(missing_ok=True)
        say("step", detail="starting")
        for _ in range(_PORTS):
            port = _free_port()
            options = {**settings, "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
            arguments = ["-D", str(self._slot.data), "-p", str(port)]
            for name, value in options.items():
                arguments += ["-c", f"{name}={value}"]
            self.child = self._spawn("postgres", arguments, signal.SIGQUIT)
            say("postgres", pid=self.child.pid)
            if self._becomes_ready(self.child):
                return port
            say("ended", status=_status(self.child.returncode))
            self.child = None
            kill_adopted()
            if "could not create any TCP/IP sockets" not in (self._slot.path / "log").read_text(errors="replace"):
                return 0
            os.ftruncate(self._log, 0)
        return 0

    def _becomes_ready(self, child: subprocess.Popen[bytes]) -> bool:
        # postmaster.pid: line 1 is the pid, line 8 the status (miscadmin.h, LOCK_FILE_LINE_*).
        while child.poll() is None:
            with suppress(OSError):
                lines = (self._slot.data / "postmaster.pid").read_text().split("\n")
                if lines[0].strip() == str(child.pid) and len(lines) > 7 and lines[7].strip() == "ready":
                    return True
            self._watch.wait(_READY_POLL)
        return False

    def _spawn(self, name: str, arguments: list[str], death_signal: signal.Signals) -> subprocess.Popen[bytes]:
        account = self._account
        switch: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        return subprocess.Popen(
            [str(self._programs / name), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=(self._slot.lock,),
            preexec_fn=_tied(death_signal),  # noqa: PLW1509 - there are no threads here
            **switch,
        )

    def _release_segment(self, pid: int) -> None:
        """Remove the System V segment that a killed postmaster leaves (postmaster.pid, line 7: its key and id)."""
        with suppress(OSError, IndexError, ValueError):
            lines = (self._slot.data / "postmaster.pid").read_text().split("\n")
            if lines[0].strip() == str(pid):
                _libc.shmctl(int(lines[6].split()[1]), _IPC_RMID, None)


def _tied(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does before exec. It runs after the change of user, which would clear the death signal."""
    if not _LINUX:
        return None
    parent = os.getpid()

    def tie() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(97)

    return tie


def kill_adopted(grace: float = 0.0, timeout: float = 2.0) -> None:
    """Reap every child of ours, which are the orphans of initdb or of the postmaster; kill them after ``grace`` s."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < grace + timeout:
        for pid in _children() if waited >= grace else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not reaped:
            time.sleep(_READY_POLL)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        # The process's name is in brackets and may hold anything; what follows is its state and its parent.
        with suppress(OSError):
            if entry.read_text().rpartition(")")[2].split()[1] == str(os.getpid()):
                found.append(int(entry.parent.name))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _status(code: int | None) -> str:
    if code is None:
        return "does not end"
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def serve(spec: dict[str, Any], watch: Watch) -> None:
    """Everything between the start and the end of this process. Raises Over and pg_cluster.Refused."""
    account = pg_cluster.server_account()
    root = pg_cluster.choose_root(spec["places"], account)
    pg_cluster.sweep(root)
    programs = pg_cluster.reachable(spec["binaries"], spec["parts"], root, account)
    slot = pg_cluster.claim(root, spec["binaries"]["version"], account, watch.wait)
    if not slot.cached:
        say("step", detail="the cached cluster is in use by another instance: making a temporary one")
    server = Server(slot, programs, account, watch)
    try:
        server.run(spec["settings"])
    finally:
        slot.mark("stopping")
        server.stop()
        slot.leave()


def main() -> None:
    """Run until PostgreSQL is over. The exit status is 0 unless this file has a defect."""
    os.umask(0o077)
    if _LINUX:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watch = Watch()
    try:
        serve(json.loads(sys.argv[1]), watch)
    except Over:
        pass
    except pg_cluster.Refused as refusal:
        say("refused", reason=str(refusal))
    except OSError as error:
        say("refused", reason=f"PostgreSQL's directory cannot be prepared: {error}; set XDG_CACHE_HOME or use --pg DSN")


if __name__ == "__main__":
    main()
