"""Comparisons with published figures of one link, one chip and one model."""

import numpy as np

from experiments.run.scenario import run_scenario
from experiments.validation.comparison import Comparison, compared
from experiments.validation.network_latency import one_vector
from experiments.validation.published_figures import figures_of
from sharding.planner.memory import kv_cache_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario
from topologies.selection import select_topology

_LSTM_GROUPS = ("LSTM step at batch 1", "LSTM step, larger batches")


def link_rows() -> list[Comparison]:
    """Return comparisons of a hop and of a link's payload share with published ones.

    The hop is that of a compiled program, its guard band included.
    """
    machine = load_machine()
    link = machine.link
    hop = one_vector(select_topology(8), machine, np.array([0, 1]))
    share = link.vector_bytes / link.wire_bytes
    return [
        *compared("Hop, SRAM to SRAM", {"one hop": hop.network_cycles}),
        *compared("Payload of a vector on the wire", {"share": share}),
    ]


def lstm_rows() -> list[Comparison]:
    """Return comparisons of the cycles of an LSTM step with all published ones.

    On one chip; INT8, 8 n^2 weights for size n. Those at batch 1 are calibrated, the
    others predicted.
    """
    return [
        row
        for group in _LSTM_GROUPS
        for row in compared(
            group,
            {
                figure.label: _lstm_cycles(figure.at["size"], figure.at["batch"])
                for figure in figures_of(group)
            },
        )
    ]


def _lstm_cycles(size: int, batch: int) -> int:
    """Return the cycles of a step of an LSTM on one chip, to validate them."""
    scenario = Scenario(workload=f"lstm:{size}", batch=batch, tokens=1, engine="replay")
    return run_scenario(scenario).schedule.latency_cycles


def model_rows() -> list[Comparison]:
    """Return comparisons of model sizes that follow from a published configuration."""
    model = load_model("llama-2-70b")
    task = Task(model, load_machine(), tensor=8, context=1, batch=1)
    attention = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
    cache = int(kv_cache_bytes(task, attention, sequences=1).sum()) * model.layers
    return compared(
        "Size of Llama-2-70B",
        {"number of parameters": model.parameters, "KV cache of a token": cache},
    )
