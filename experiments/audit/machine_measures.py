"""Measurements of machines and devices: chips that hold a model, hops, peaks."""

from experiments.audit.measure import Measure
from sharding.parallelism.strategy import Strategy
from sharding.planner.infeasibility import smallest_pipeline
from sharding.weights.task import Task
from specs.decode_work import decode_work
from specs.devices import devices
from specs.formats import Format
from specs.machine import MachineSpec, load_machine
from specs.model import load_model
from specs.units import ceil_div
from topologies.builders.dragonfly import MOST_RACKS, dragonfly_topology
from topologies.metrics.gateway_distance import gateway_histogram
from topologies.metrics.summary import hop_histogram
from topologies.topology import Topology

# Of a sequence that a planned model serves; the shortest context of its documents.
_CONTEXTS = {"llama-2-70b": 4096, "llama-2-7b": 2048, "mistral-7b": 2048}
# Widths of tensor groups of which the one with the fewest chips counts.
_WIDTHS = (1, 2, 4, 8, 16, 24, 32)
_STEP_BATCH = 1


def chips_by_bytes(model: str, number_format: str, machine: str = "groqrack") -> int:
    """Return the measurement of the chips whose SRAM holds the weights, and no more."""
    formats = _machine(machine, number_format).formats
    weights = load_model(model).parameters * formats.weights.element.bits / 8
    return ceil_div(round(weights), load_machine(machine).chip.sram_bytes)


def chips_planned(model: str, number_format: str, machine: str = "groqrack") -> int:
    """Return the measurement of the chips of the smallest plan that fits.

    One sequence, with its KV cache, activations and room for programs; the fewest over
    tensor groups of up to 32 chips.
    """
    spec, of = load_model(model), _machine(machine, number_format)
    found = []
    for width in _WIDTHS:
        task = Task(spec, of, 1, _CONTEXTS[model], 1)
        task = task.split_as(Strategy(tensor=width, pipeline=1))
        stages = smallest_pipeline(task, sequences=1)
        if stages:
            found.append(width * stages)
    return min(found)


def _machine(name: str, number_format: str) -> MachineSpec:
    """Return a machine whose weights have a format."""
    return load_machine(name).with_settings({"formats.weights": number_format})


def _largest_system() -> Topology:
    """Return the wiring of the largest published system."""
    return dragonfly_topology(MOST_RACKS)


def most_hops() -> int:
    """Return the measurement of the diameter of 10,440 chips, every hop counted."""
    topology = _largest_system()
    sources = topology.representatives or range(topology.chips)
    return len(hop_histogram(topology, sources)) - 1


def most_gateway_hops() -> int:
    """Return the measurement of the same, without moves inside nodes on the way."""
    topology = _largest_system()
    sources = topology.representatives or range(topology.chips)
    return len(gateway_histogram(topology, sources)) - 1


def bound_tokens_per_s(device: str, model: str) -> float:
    """Return the measurement of a device's bound for one user, as many as hold it."""
    work = decode_work(load_model(model), context=_CONTEXTS[model], batch=_STEP_BATCH)
    spec = devices()[device]
    count = spec.holding(work.held_bytes)
    return 1 / spec.bound_s(flop=work.flop, read_bytes=work.read_bytes, devices=count)


def _rack_chips() -> int:
    """Return the chips of a rack."""
    return load_machine().system.chips_per_rack


def _rack_sram_gb() -> float:
    """Return the SRAM of a rack, in GB."""
    return _rack_chips() * load_machine().chip.sram_bytes / 1e9


def _sram_tb_per_s() -> float:
    """Return the SRAM bandwidth of a chip, in TB/s."""
    chip = load_machine().chip
    return chip.sram_bytes_per_cycle * chip.clock_hz / 1e12


def _chips(
    model: str, number_format: Format, machine: str = "groqrack"
) -> list[Measure]:
    """Return the measurements of the chips that a model takes."""
    return [
        Measure(
            "weights alone, no byte lost",
            lambda: chips_by_bytes(model, number_format, machine),
        ),
        Measure(
            f"smallest plan, context {_CONTEXTS[model]:,}, one sequence",
            lambda: chips_planned(model, number_format, machine),
        ),
    ]


def _pairs() -> dict[str, Measure]:
    """Return the measurements of chips by name."""
    cases = {
        "chips_70b": ("llama-2-70b", Format.FP8, "groqrack"),
        "chips_70b_fp16": ("llama-2-70b", Format.FP16, "groqrack"),
        "chips_7b_fp16": ("llama-2-7b", Format.FP16, "groqrack"),
        "chips_7b_int8": ("llama-2-7b", Format.INT8, "groqrack"),
        "chips_7b_int4": ("llama-2-7b", Format.INT4, "groqrack"),
        "chips_mistral_fp16": ("mistral-7b", Format.FP16, "groqrack"),
        "lpx_chips_70b": ("llama-2-70b", Format.FP8, "lpx"),
    }
    named = {}
    for name, case in cases.items():
        named[f"{name}_bytes"], named[f"{name}_planned"] = _chips(*case)
    return named


MACHINE_MEASURES: dict[str, Measure] = {
    **_pairs(),
    "chips_of_rack": Measure("nine nodes of eight", _rack_chips),
    "sram_of_rack": Measure("72 chips of 220 MiB", _rack_sram_gb),
    "sram_bandwidth": Measure("bytes a cycle times the clock", _sram_tb_per_s),
    "hops_every": Measure("every hop", most_hops),
    "hops_gateway": Measure("without moves inside nodes", most_gateway_hops),
    "a100_70b_bound": Measure(
        "bound, FP16", lambda: bound_tokens_per_s("a100", "llama-2-70b")
    ),
    "a100_7b_bound": Measure(
        "bound, FP16", lambda: bound_tokens_per_s("a100", "llama-2-7b")
    ),
    "h100_7b_bound": Measure(
        "bound, FP16", lambda: bound_tokens_per_s("h100", "llama-2-7b")
    ),
    "h100_ridge": Measure(
        "dense FP16 over HBM", lambda: devices()["h100"].ridge_flop_per_byte
    ),
}
