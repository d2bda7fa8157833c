"""The embedded PostgreSQL's directories: where they may be, who owns them, which one is ours, and how one is made.

Imported by ``pg_supervisor`` alone, which runs with ``python -I -S``: standard library only.

    ROOT/                       the first usable one of the places that the caller names
      18.4-0badcafe/            the cached cluster for one version, one set of initdb's arguments, one account
        lock                    flock; its text is the holder's state and pid
        secret                  the superuser's password, 0600, never the server account's to read
        boot                    the boot of the machine that it ran in last
        log                     what initdb and postgres said since the last start
        data/                   the data directory, there only when initdb went to its end
      tmp-.../                  the same for an instance that found the cached one in use; removed at its end
      bin-18.4-0badcafe/        a copy of the programs, when the server account cannot reach the installed ones
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import shutil
import signal
import stat
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

INITDB_ARGUMENTS = (
    *("-U", "postgres", "-E", "UTF8", "--locale=C", "--auth=scram-sha-256"),
    *("--no-sync", "--no-data-checksums", "--no-instructions", "--wal-segsize=1"),
    # Files in the data directory instead of /dev/shm, where a killed server leaves them for ever.
    *("--set", "dynamic_shared_memory_type=mmap"),
)
LOOK_SECONDS = 0.1
DYING_SECONDS = 3.0
EVICT_SECONDS = 1.0
_POLL_SECONDS = 0.005
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Wait = Callable[[float], None]
"""Waits that many seconds, less when something happened; raises when this process is to end."""


class Refused(Exception):
    """One line: why there is no server, and what to do."""


class Account(NamedTuple):
    """The unprivileged user under whom PostgreSQL runs, because it refuses to run as root."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """None when this process is an ordinary user's. initdb needs an entry in the password database."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise Refused("PostgreSQL refuses to run as root: add an account called postgres, or use --pg DSN")


def enterable(path: Path) -> bool:
    """Whether everybody may pass through ``path`` and all its parents, as far as they exist."""
    for part in (path, *path.parents):
        try:
            if not part.stat().st_mode & stat.S_IXOTH:
                return False
        except FileNotFoundError:
            continue
        except OSError:
            return False
    return True


def choose_root(places: list[str], account: Account | None) -> Path:
    """The first of ``places`` that can be made, is ours alone to write, and is within the account's reach."""
    for place in map(Path, places):
        if account is not None and not enterable(place.parent):
            continue
        try:
            _make(place, account)
            found = place.lstat()
        except OSError:
            continue
        # Not a link, and not made by somebody else: one of the places is under the shared /tmp.
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if ours and os.access(place, os.W_OK):
            return place
    raise Refused(f"PostgreSQL's data can be kept in none of {', '.join(places)}: set XDG_CACHE_HOME or TMPDIR")


def _make(path: Path, account: Account | None) -> None:
    """Make a directory and its parents. The modes are set afterwards: the umask may be anything."""
    if path.is_dir():
        return
    _make(path.parent, account)
    path.mkdir(exist_ok=True)
    path.chmod(0o711 if account else 0o700)


class Slot:
    """A locked directory that holds one cluster. ``lock`` is open for as long as it is ours.

    The lock goes on to postgres and its backends as an inherited descriptor. It is free when the last of
    them is gone, also after their supervisor was killed.
    """

    def __init__(self, path: Path, lock: int, *, cached: bool) -> None:
        self.path, self.lock, self.cached = path, lock, cached
        self.data = path / "data"
        self.mark("running")

    def mark(self, state: str) -> None:
        """Tell a second instance how this one is: ``running`` or ``stopping``."""
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, f"{state} {os.getpid()}".encode(), 0)

    def leave(self) -> None:
        """Give it back; what was temporary is removed."""
        if not self.cached:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def claim(root: Path, version: str, account: Account | None, wait: Wait) -> Slot:
    """The cached cluster's slot, or a temporary one when another instance has it.

    Who holds the lock decides how long to wait for it. A holder that says it is stopping (its lab closed
    it or was killed), or whose supervisor does not exist any more, lets go soon: a shutdown takes 20 to 100 ms,
    so wait up to 3 s. Any other is alive and keeps the lock for its whole session; look for 100 ms only, in
    which a supervisor sees that its lab is gone and says so. To be wrong costs one initdb and nothing else.
    """
    path = root / f"{version}-{_key(account)}"
    _make(path, account)
    lock = _open_lock(path)
    begun = time.monotonic()
    while not _locked(lock):
        waited, holder = time.monotonic() - begun, _holder(path)
        if waited > (LOOK_SECONDS if holder == "running" else DYING_SECONDS):
            os.close(lock)
            return _temporary(root, account)
        if holder == "gone" and waited > EVICT_SECONDS:
            _evict(path / "data")
        wait(_POLL_SECONDS)
    return Slot(path, lock, cached=True)


def _key(account: Account | None) -> str:
    uid = os.geteuid() if account is None else account.uid
    return f"{zlib.crc32(json.dumps([INITDB_ARGUMENTS, uid, os.uname().machine]).encode()):08x}"


def _temporary(root: Path, account: Account | None) -> Slot:
    name = os.urandom(6).hex()
    path = root / f"new-{name}"
    _make(path, account)
    lock = _open_lock(path)
    _locked(lock)
    # Under its final name it is locked from the first moment, so that no other instance takes it for a left-over.
    return Slot(path.rename(root / f"tmp-{name}"), lock, cached=False)


def _open_lock(path: Path) -> int:
    return os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> Literal["running", "stopping", "gone"]:
    state, _, pid = (path / "lock").read_text().partition(" ")
    if state == "stopping":
        return "stopping"
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return "gone"
    except (PermissionError, ValueError):
        # Another user's now, or a holder that has not written its name yet.
        return "running"
    return "running"


def _evict(data: Path) -> None:
    """Kill the backends in ``data`` that outlived both their postmaster and its supervisor (Linux only).

    Every process of PostgreSQL has its data directory as its working directory.
    """
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink() == data.resolve():
                os.kill(int(entry.parent.name), signal.SIGKILL)


def sweep(root: Path) -> None:
    """Remove the temporary clusters whose supervisor was killed, once their processes are gone."""
    for path in root.glob("tmp-*"):
        with suppress(OSError):
            lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
            if _locked(lock):
                shutil.rmtree(path, ignore_errors=True)
            elif _holder(path) == "gone":
                _evict(path / "data")
            os.close(lock)


def reachable(binaries: dict[str, str], parts: list[str], root: Path, account: Account | None) -> Path:
    """The directory of postgres and initdb, of a copy when the account cannot reach the installed ones.

    A copy (23 MB, about 80 ms) stays in ``root`` for the next start.
    """
    folder, base = Path(binaries["bin"]), Path(binaries["base"])
    if account is None or enterable(folder / "postgres"):
        return folder
    found = (folder / "postgres").stat()
    build = zlib.crc32(f"{folder} {found.st_size} {found.st_mtime_ns}".encode())
    copy = root / f"bin-{binaries['version']}-{build:08x}"
    if not copy.is_dir():
        _copy(base, parts, root / f"new-{os.urandom(6).hex()}", copy)
    return copy / folder.relative_to(base)


def _copy(base: Path, parts: list[str], draft: Path, copy: Path) -> None:
    for part in parts:
        source, target = base / part, draft / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    for path in (draft, *draft.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or path.parent.name == "bin" else 0o444))
    try:
        draft.rename(copy)
    except OSError:
        # Another instance was first; its copy is as good.
        shutil.rmtree(draft, ignore_errors=True)


def usable_password(slot: Slot) -> str:
    """The password of the cluster in ``slot``, or nothing when a new one has to be made.

    fsync is off, so a cluster that was running when the machine went down cannot be trusted.
    """
    secret, boot = slot.path / "secret", slot.path / "boot"
    try:
        crashed = (slot.data / "postmaster.pid").exists() and boot.read_text() != _boot()
        return secret.read_text() if (slot.data / "PG_VERSION").exists() and not crashed else ""
    except OSError:
        return ""


def note_boot(slot: Slot) -> None:
    (slot.path / "boot").write_text(_boot())


def _boot() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def make_cluster(slot: Slot, initdb: Callable[[list[str]], int], account: Account | None) -> str:
    """Fill the slot's data directory with ``initdb`` (650 to 1,500 ms) and return its new password.

    The random password is the cluster's, not the start's: to change it at a start would need a second
    start in single-user mode, and who can read the secret can read the data as well.
    """
    draft, words = slot.path / "draft", slot.path / "words"
    for path in (slot.data, draft):
        shutil.rmtree(path, ignore_errors=True)
    draft.mkdir(mode=0o700)
    password = os.urandom(24).hex()
    _write_private(slot.path / "secret", password)
    _write_private(words, password)
    if account is not None:
        os.chown(draft, account.uid, account.gid)
        os.chown(words, account.uid, account.gid)
    try:
        code = initdb(["-D", str(draft), f"--pwfile={words}", *INITDB_ARGUMENTS])
    finally:
        words.unlink()
    if code:
        raise Refused(f"initdb failed with exit status {code}: {last_words(slot)}; use --pg DSN")
    draft.rename(slot.data)
    return password


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def last_words(slot: Slot) -> str:
    """The last line of the log that says what went wrong."""
    lines = (slot.path / "log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "error"))]
    return next(iter((bad or lines)[-1:]), "it said nothing").strip()
