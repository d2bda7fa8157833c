"""Finding and reading scenario files."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from app.lesson import NOTHING, Lesson
from app.paths import scenario_files
from app.scenario.errors import ScenarioError, explain, no_toml
from app.scenario.model import Scenario
from app.settings import RunSettings


class Loaded:
    """A scenario that was read: its name, the file's text (for a recording's header), what it says, and its path."""

    def __init__(self, name: str, text: str, scenario: Scenario, source: str = "") -> None:
        self.name, self.text, self.scenario, self.source = name, text, scenario, source

    @property
    def settings(self) -> RunSettings:
        return self.scenario.to_settings(self.name)


def find(name: str) -> Loaded:
    """The scenario ``name``: a shipped one, or a path that ends in ``.toml``. Raises ScenarioError."""
    if name.endswith((".jsonl", ".jsonl.gz")):
        raise ScenarioError(f"{name} is a recording: `cancelloscope replay {name}` opens it")
    if name.endswith(".toml") or "/" in name:
        return load(Path(name))
    files = scenario_files()
    if name in files:
        return load(files[name])
    near = difflib.get_close_matches(name, files, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "`cancelloscope scenarios` lists them"
    raise ScenarioError(f"no scenario is called {name!r}: {hint}")


def load(path: Path) -> Loaded:
    """Read and check one file. Raises ScenarioError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ScenarioError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    return Loaded(path.stem, text, parse(text, str(path)), str(path))


def parse(text: str, file: str) -> Scenario:
    """Check ``text``; ``file`` is named in errors. Raises ScenarioError."""
    try:
        return Scenario.model_validate(tomllib.loads(text))
    except ValidationError as error:
        raise explain(error, text, file) from None
    except (ValueError, RecursionError) as error:
        raise no_toml(error, text, file) from None


def taught(header: Mapping[str, object], name: str) -> Lesson:
    """What is taught with the scenario ``name``, whose file a recording has in its ``header``, or that is shipped;
    nothing where there is none, or where today's rules do not take the file."""
    texts = header.get("scenarios")
    text = texts.get(name) if isinstance(texts, Mapping) else None
    try:
        found = parse(text, name) if isinstance(text, str) else find(name).scenario
    except ScenarioError:
        return NOTHING
    return found.teach.to_lesson()
