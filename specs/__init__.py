"""Frozen values with units: models, machines, formats, scenarios and their errors."""

from specs.errors import RackError, SpecError
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec, load_model, model_names
from specs.scenario import Scenario, load_scenario

__all__ = [
    "MachineSpec",
    "ModelSpec",
    "RackError",
    "Scenario",
    "SpecError",
    "load_machine",
    "load_model",
    "load_scenario",
    "model_names",
]
