"""However a scenario file is damaged: it is read, or refused in one line that names one of its lines."""

from __future__ import annotations

import re
import tomllib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.paths import scenario_files
from app.scenario import Scenario, ScenarioError, parse
from tests.contracts.test_scenario_schema import VALIDATOR
from tests.unit.app.test_scenario_expect import GOOD
from tests.unit.app.test_scenario_lanes import FULL, HEAD

TEXTS = [GOOD, HEAD + FULL, *(path.read_text(encoding="utf-8") for path in scenario_files().values())]
PIECES = (
    *("[", "]", "[[", "]]", "{", "}", '"', "'", '"""', "'''", "=", ".", ",", "\n", "#", "\\", "\r", "\0", "\u2028"),
    *("lanes", "[lanes.expect]\n", "[[lanes.faults]]\n", "[[lanes]]\n", "[expect]\n", "[teach]\n", '"a\\nb" = 1\n'),
    *("0", "-1", "1e999", "nan", "9" * 5000, "true", "1979-05-27", "none", "''", "[]", "{}", "[" * 3000),
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A valid file with one to four pieces cut out, put in, or put in the place of others."""
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = begin + draw(st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 200)))
        piece = draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.text(max_size=8)))
        text = text[:begin] + piece + text[end:]
    return text


@st.composite
def mixed(draw: st.DrawFn) -> str:
    """Lines of valid files in an order of their own, and values of one key at another."""
    lines = [line for text in TEXTS for line in text.splitlines()]
    chosen = draw(st.lists(st.sampled_from(lines), max_size=12))
    pairs = [line for line in lines if "=" in line]
    for key, value in draw(st.lists(st.tuples(st.sampled_from(pairs), st.sampled_from(pairs)), max_size=6)):
        chosen.append(f"{key.partition('=')[0]}={value.partition('=')[2]}")
    return "\n".join(chosen)


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(damaged(), mixed(), st.text(max_size=80)))
@example(text="a = " + "[" * 3000)
@example(text="a = " + "9" * 5000)
@example(text="[a.b]\n[[a]]")
@example(text='"\\u0000\\n" = 1')
def test_no_damage_raises_anything_but_one_line(text: str) -> None:
    try:
        assert isinstance(parse(text, "x.toml"), Scenario)
        assert VALIDATOR.is_valid(tomllib.loads(text)), "what is right is right in an editor too"
    except ScenarioError as error:
        said = str(error)
        match = re.match(r"x\.toml:(\d+): .", said)
        assert match is not None, said
        assert 1 <= int(match[1]) <= text.count("\n") + 1
        assert said.isprintable(), said
