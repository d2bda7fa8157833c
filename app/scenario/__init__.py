"""Scenarios: TOML files, checked strictly. An error names file, line, and what would be right."""

from app.scenario.drafts import amend, one_lane
from app.scenario.errors import ScenarioError
from app.scenario.lanes import FaultSpec, LaneSpec
from app.scenario.load import Loaded, find, load, parse, taught
from app.scenario.model import Scenario

SCHEMA = "scenario.schema.json"
"""The format's JSON Schema in the folder of the configuration, made by ``app.scenario.schema``."""

__all__ = [
    "SCHEMA",
    "FaultSpec",
    "LaneSpec",
    "Loaded",
    "Scenario",
    "ScenarioError",
    "amend",
    "find",
    "load",
    "one_lane",
    "parse",
    "taught",
]
