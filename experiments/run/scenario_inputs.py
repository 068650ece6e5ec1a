"""Scenario inputs: defaults filled in; the model, machine and topology they name."""

from collections.abc import Mapping
from typing import Any

from specs.errors import SpecError
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec
from specs.scenario import MODEL_KEYS, Scenario, model_key_fault, scenario
from topologies.selection import whole_machine_chips
from topologies.spare_nodes import select_with_spares
from topologies.topology import Topology
from workloads.recognition import load_model_or_graph

# How a setting begins that is of the model, not of the machine.
MODEL_SETTING = "model."
_DEFAULT = Scenario()


def scenario_of(content: Mapping[str, Any], origin: str) -> Scenario:
    """Return the scenario to run from what was given, chips and split filled in.

    A machine unlike the default one brings its topology and its chips. A topology of
    its own size brings its chips, unless their number is given; a number of chips
    brings a tensor group of the machine's ``system.tensor`` chips at most, whatever the
    topology, unless a strategy is given. A prompt brings a context that holds it and
    the tokens.

    Raises
    ------
    SpecError
        If a key is unknown or a value cannot be meant.
    """
    merged = dict(content)
    system = load_machine(str(merged.get("machine", _DEFAULT.machine))).system
    if merged.get("workload") is not None:
        for name in MODEL_KEYS:
            if name in merged:
                raise SpecError(f"{origin}: {model_key_fault(name)}")
        if system != load_machine(_DEFAULT.machine).system:
            merged.setdefault("topology", system.topology)
        return scenario(merged, origin)
    if "chips" not in merged and "topology" in merged:
        chips = whole_machine_chips(str(merged["topology"]))
        if chips is not None:
            merged["chips"] = chips
    if system != load_machine(_DEFAULT.machine).system:
        merged.setdefault("topology", system.topology)
        merged.setdefault("chips", system.chips)
    chips = merged.get("chips")
    if isinstance(chips, int) and "strategy" not in merged:
        # The default split is made for the default number of chips.
        merged["strategy"] = f"tensor={min(system.tensor, chips)}"
    prompt = merged.get("prompt")
    if isinstance(prompt, int) and prompt > 0 and "context" not in merged:
        tokens = merged.get("tokens", Scenario.model_fields["tokens"].default)
        if isinstance(tokens, int):
            # The cache is planned for what it holds in the end.
            merged["context"] = prompt + tokens
    return scenario(merged, origin)


def model_of(scenario: Scenario) -> ModelSpec:
    """Return the model that a scenario runs, with settings such as ``model.layers``.

    Formats of its checkpoint give way to those that a setting of the machine asks for.
    """
    sizes = {
        path.removeprefix(MODEL_SETTING): value
        for path, value in scenario.settings.items()
        if path.startswith(MODEL_SETTING)
    }
    model = load_model_or_graph(scenario.model)
    model = model.in_formats_of(scenario.settings)
    return model.with_settings(sizes, "setting of the model")


def machine_of(scenario: Scenario) -> MachineSpec:
    """Return the machine that a scenario runs on, with its settings."""
    settings = {
        path: value
        for path, value in scenario.settings.items()
        if not path.startswith(MODEL_SETTING)
    }
    return load_machine(scenario.machine).with_settings(settings, "setting")


def topology_of(scenario: Scenario, machine: MachineSpec) -> Topology:
    """Return the topology that a scenario runs on, first chips active, spares idle."""
    return select_with_spares(
        scenario.chips,
        scenario.topology,
        spare_nodes=machine.spares,
        ports_per_chip=machine.chip.ports,
        floor=machine.floor,
    )
