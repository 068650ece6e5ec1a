"""Settings of a campaign: models, workloads and collectives on machines that break."""

import random
from collections.abc import Sequence
from typing import Any

from specs.families.catalogue import FAMILIES
from tests.workloads.conftest import tiny_config

# What is in a tree: config (of a model) or workload or collective, and how it runs.
Tree = dict[str, Any]

WORKLOADS = ("gemm:64x96x64", "gemm:33x500x70:fp16", "lstm:64", "lstm-step", "mlp")
_COLLECTIVES = (
    *("all-reduce", "all-gather", "reduce-scatter", "all-to-all"),
    *("broadcast", "point-to-point"),
)
_FORMS = ("auto", "one-shot", "two-step", "ring", "hierarchical", "spread")
# What a setting has, unless it is drawn otherwise: (value, how often it stays).
_HARDWARE: dict[str, Sequence[Any]] = {
    "clock.drift_ppm": (0, 10, 200, 3_000),
    "clock.model": ("walk",),
    "clock.walk_step_ppm": (0, 1, 12),
    "clock.walk_stretch_cycles": (3_000, 20_000),
    "link.jitter": ("clipped", "gaussian"),
    "link.jitter_cycles": (0, 1, 7, 60),
    "link.jitter_end_fraction": (1,),
    "link.ber": (0, 1e-7, 3e-6, 1e-4),
    "link.errors": ("bursts",),
    "link.fifo_vectors": (2, 3, 5),
    "link.vector_bytes": (16,),
    "fec.code": ("rs528", "rs544", "none"),
    "hac.epoch_cycles": (300,),
    "hac.slew_counts": (2, 3),
    "hac.tracking_error_counts": (3,),
    "hac.tree": ("least_error",),
    "deskew.interval_epochs": (0, 1, 60, 200),
    "chip.prefetch": (False,),
    "chip.overlap_load": (True,),
    "compiler.overlap": (False,),
    "failover.kv_cache": ("mirrored",),
    "spares": (1, 2),
}
# No deskew takes the drift away.
_FLOOD: dict[str, Sequence[Any]] = {
    "deskew.interval_epochs": (0,),
    "clock.drift_ppm": (2_000, 3_000),
    "clock.model": ("constant", "walk"),
    "link.jitter": ("beta", "gaussian"),
    "hac.slew_counts": (2,),
    "link.fifo_vectors": (2, 3, 4, 6, 9, 16),
}


def drawn_setting(draw: random.Random) -> Tree:
    """Return a setting: what runs, on which chips, with what hardware and faults."""
    kind = draw.random()
    if kind < 0.12:
        return _collective(draw)
    if kind < 0.25:
        return flood(draw)
    tree = _workload(draw) if kind < 0.4 else _model(draw)
    tree["settings"] = _hardware(draw)
    if draw.random() < 0.5:
        tree["faults"] = [_fault(draw) for _ in range(draw.randint(1, 3))]
    return tree


def flood(draw: random.Random) -> Tree:
    """Return a ring whose vectors come ever earlier, until receive FIFOs are full."""
    return {
        "collective": {
            "kind": draw.choice(["all-reduce", "all-gather", "reduce-scatter"]),
            "payload_bytes": draw.choice([100_000, 400_000, 1_000_000]),
            "algorithm": "ring",
            "chips": draw.choice([3, 4, 5, 8]),
            "seed": draw.randrange(2**32),
        },
        "settings": {key: draw.choice(values) for key, values in _FLOOD.items()},
    }


def _model(draw: random.Random) -> Tree:
    """Return a tiny model of a family, split over few chips."""
    family = draw.choice(sorted(FAMILIES))
    tensor, pipeline = draw.choice([(1, 1), (1, 2), (2, 1), (2, 2), (4, 1), (4, 2)])
    data = draw.choice([1, 1, 1, 2])
    words = [f"tensor={tensor}", f"pipeline={pipeline}"]
    words += [f"data={data}"] if data > 1 else []
    words += ["layout=2d"] if tensor == 4 and draw.random() < 0.2 else []
    words += ["expert=2"] if draw.random() < 0.1 else []
    scenario: Tree = {
        "strategy": ",".join(words),
        "chips": tensor * pipeline * data * (2 if "expert=2" in words else 1),
        "tokens": draw.randint(1, 6),
        "context": draw.choice([8, 16, 31]),
        "seed": draw.randrange(2**32),
    }
    for key, values, often in (
        ("sequences", (2, 3), 0.4),
        ("batch", (2,), 0.15),
        ("prompt", (1, 3, 7), 0.25),
        ("context_bucket", (1, 2, 5), 0.3),
        ("placement", ("auto",), 0.1),
        ("topology", ("rack", "torus", "full-mesh", "dragonfly", "hypercube"), 0.25),
    ):
        if draw.random() < often:
            scenario[key] = draw.choice(values)
    if "prompt" in scenario:
        scenario["context"] = 31
        scenario["prefill_chunk"] = draw.choice([0, 1, 2])
    layers = draw.choice([2, 2, 3, 4])
    key = "n_layer" if family in ("gpt2", "gptj") else "num_hidden_layers"
    return {"config": tiny_config(family, **{key: layers}), "scenario": scenario}


def _workload(draw: random.Random) -> Tree:
    """Return a workload on few chips."""
    scenario: Tree = {
        "workload": draw.choice(WORKLOADS),
        "chips": draw.choice([1, 2, 4, 8]),
        "tokens": draw.randint(1, 6),
        "seed": draw.randrange(2**32),
    }
    if draw.random() < 0.25:
        scenario["topology"] = draw.choice(["rack", "torus", "full-mesh"])
    return {"scenario": scenario}


def _collective(draw: random.Random) -> Tree:
    """Return a collective among few chips."""
    return {
        "collective": {
            "kind": draw.choice(_COLLECTIVES),
            "payload_bytes": draw.choice([1, 320, 6_400, 100_000]),
            "algorithm": draw.choice(_FORMS),
            "chips": draw.choice([2, 3, 8, 16]),
            "topology": draw.choice(["auto", "auto", "torus", "full-mesh"]),
            "seed": draw.randrange(2**32),
        },
        "settings": _hardware(draw),
    }


def _hardware(draw: random.Random) -> Tree:
    """Return settings of the machine that differ from those it is shipped with."""
    chosen = {
        key: draw.choice(values)
        for key, values in _HARDWARE.items()
        if draw.random() < 0.2
    }
    if chosen.get("link.jitter_end_fraction"):
        # So wide that vectors of a law without an end are late.
        chosen["link.jitter_std_fraction"] = 0.3
    return chosen


def _fault(draw: random.Random) -> Tree:
    """Return a fault at a link or a chip that there may be."""
    at_us = round(draw.choice([0, draw.uniform(0, 5), draw.uniform(0, 100)]), 3)
    kind = draw.choice(["link-dies", "link-ber", "chip-stops"])
    fault: Tree = {"kind": kind, "at_us": at_us}
    if kind == "chip-stops":
        return fault | {"chip": draw.randrange(draw.choice([1, 2, 4, 8]))}
    fault["link"] = draw.randrange(draw.choice([2, 24, 56]))
    if kind == "link-ber":
        fault |= {"until_us": at_us + 50, "ber": draw.choice([1e-6, 1e-4, 1e-2])}
    return fault
