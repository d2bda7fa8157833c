"""Where files are: the shipped configuration, and the recordings that people make."""

from __future__ import annotations

import time
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def config_dir(app: Path = _HERE) -> Path:
    """The shipped configuration: inside the installed package ``app``, or beside it in a source tree.

    Raises FileNotFoundError when the installation has lost it.
    """
    for folder in (app / "config", app.parent / "config"):
        if (folder / "scenarios").is_dir():
            return folder
    raise FileNotFoundError(f"no config/scenarios in or beside {app}: install cancelloscope anew")


def user_dir() -> Path:
    """Where somebody's own settings are: keys, and the theme that was chosen last. It need not exist."""
    import platformdirs

    return platformdirs.user_config_path("cancelloscope")


def scenario_files() -> dict[str, Path]:
    """The shipped scenarios by name, sorted."""
    return {path.stem: path for path in sorted((config_dir() / "scenarios").glob("*.toml"))}


def new_recording(folder: Path | None = None) -> Path:
    """A name in ``folder`` (the current directory when None) that no file has yet."""
    folder = Path.cwd() if folder is None else folder
    stem = time.strftime("cancelloscope-%Y%m%d-%H%M%S")
    path, number = folder / f"{stem}.jsonl", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}.jsonl"
    return path
