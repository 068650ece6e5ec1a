"""Settings and weights of a model's operators as the functional engine takes them."""

from collections.abc import Callable, Mapping
from math import ceil, floor, log, pi
from typing import Any

import numpy as np

from fabric.functional_engine.memory import Array
from fabric.functional_engine.settings import OperatorSettings
from sharding.parallelism.tensor_group import Routing
from sharding.weights.task import Task
from specs.numerical_settings import RopeScaling
from workloads.attributes import AttentionAttributes, PositionAttributes
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import GraphOperator
from workloads.reference.activations import activation
from workloads.rotary import Rotary

# Weights that are vectors, but for a bias of which each expert has its own.
_VECTORS = (".bias", "norm.weight", "sinks.weight", "rate.weight")
Activation = Callable[[Array], Array]
# Attributes that the engine calls by the same name.
_SAME = (
    "causal",
    "centred",
    "chosen",
    "chunked",
    "growth_positions",
    "query_growth",
    "weighs_inputs",
    "divisor",
    "epsilon",
    "experts",
    "experts_per_token",
    "first_row",
    "head_dim",
    "latent",
    "linear",
    "router",
    "scale",
    "soft_cap",
    "unit_offset",
    "whole",
    "window",
)


def operator_settings(graph: OperatorGraph, task: Task) -> dict[str, OperatorSettings]:
    """Return the settings of a graph's operators by name.

    Parameters
    ----------
    graph
        The graph.
    task
        The task, whose schedule has room for some experts or for all.
    """
    return {
        operator.name: _settings(operator, task)
        for operator in graph.operators()
        if operator.attributes is not None
    }


def _settings(operator: GraphOperator, task: Task) -> OperatorSettings:
    """Return the settings of one operator."""
    attributes = operator.attributes
    settings: dict[str, Any] = {
        name: getattr(attributes, name) for name in _SAME if hasattr(attributes, name)
    }
    if isinstance(attributes, PositionAttributes) and attributes.rotary:
        settings["frequencies"] = _frequencies(attributes.rotary)
        settings["interleaved"] = attributes.rotary.interleaved
        settings["rotated_factor"] = _rotated_factor(attributes.rotary.scaling)
    if isinstance(attributes, AttentionAttributes) and attributes.alibi:
        settings["slopes"] = _slopes(attributes)
    if isinstance(attributes, ActivateAttributes):
        settings |= {
            "activation": _activation(attributes),
            "gate_limit": attributes.limit,
            "gate_offset": attributes.offset,
        }
    if task.model.experts > 1:
        settings["experts_per_token"] = task.model.experts_per_token
        settings["expert_columns"] = task.model.inner_size(operator.layer or 0)
        if task.routing is Routing.BALANCED:
            settings["balanced_groups"] = task.expert
    return OperatorSettings(**settings)


def _slopes(attributes: AttentionAttributes) -> tuple[float, ...]:
    """Return by how much scores of each query head fall from a position to the next.

    Heads beyond a power of two take the slopes that lie between those of the others.
    """
    power = 1
    while 2 * power <= attributes.heads:
        power *= 2
    base = 2 ** (-8 / power)
    falls = [base**number for number in range(1, power + 1)]
    falls += [base ** (number + 0.5) for number in range(attributes.heads - power)]
    return tuple(attributes.alibi * fall for fall in falls)


def _activation(attributes: ActivateAttributes) -> Activation:
    """Return the function of an activated operand."""
    if attributes.alpha == 1:
        return activation(attributes.activation)
    alpha = attributes.alpha
    return lambda x: np.asarray(x * np.exp(-np.logaddexp(0, -x.dtype.type(alpha) * x)))


def _frequencies(rotary: Rotary) -> tuple[float, ...]:
    """Return the rotation of each pair of elements from a position to the next.

    Scalings are those of Hugging Face transformers: ``linear`` stretches all
    wavelengths; ``llama3`` and ``yarn`` those that are long against the trained
    context, with a transition that is smooth in the turns, or in the pairs.
    """
    found = []
    for pair in range(rotary.dims // 2):
        frequency = rotary.theta ** (-2 * pair / rotary.dims)
        scaling = rotary.scaling
        if scaling is not None:
            kept = 0.0
            if scaling.kind == "llama3":
                low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
                turns = scaling.trained_positions * frequency / (2 * pi)
                width = high - low
                kept = min(max((turns - low) / width, 0.0), 1.0) if width else 0.0
                if not width and turns > high:
                    kept = 1.0
            if scaling.kind == "yarn":
                kept = _kept_by_yarn(pair, rotary, scaling)
            frequency *= kept + (1 - kept) / scaling.factor
        found.append(frequency)
    return tuple(found)


def _kept_by_yarn(pair: int, rotary: Rotary, scaling: RopeScaling) -> float:
    """Return how much of a pair's frequency ``yarn`` keeps.

    It falls from 1 at the pair with `fast_turns` in the trained context to 0 at that
    with `slow_turns`.
    """
    trained, base = scaling.trained_positions, log(rotary.theta)
    fast, slow = (
        rotary.dims / 2 * (log(trained / (2 * pi)) - log(turns)) / base
        for turns in (scaling.fast_turns, scaling.slow_turns)
    )
    if scaling.whole_pairs:
        fast, slow = floor(fast), ceil(slow)
    fast, slow = max(fast, 0), min(slow, rotary.dims - 1)
    if slow == fast:
        slow += 0.001
    return 1 - min(max((pair - fast) / (slow - fast), 0.0), 1.0)


def _rotated_factor(scaling: RopeScaling | None) -> float:
    """Return the factor of rotated elements, 1 but under ``yarn``."""
    if scaling is None or scaling.kind != "yarn":
        return 1.0
    if scaling.rotated_factor is not None:
        return scaling.rotated_factor
    extended = log(max(scaling.factor, 1.0)) / 10
    if scaling.magnitude * scaling.magnitude_of_all > 0:
        of_all = scaling.magnitude_of_all * extended + 1
        return (scaling.magnitude * extended + 1) / of_all
    return extended + 1


def engine_weights(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return weights as a program states them: biases and norms' weights as vectors."""
    return {
        name: array[0] if len(array) == 1 and name.endswith(_VECTORS) else array
        for name, array in weights.items()
    }


def random_tokens(vocabulary: int, shape: tuple[int, int], seed: int) -> Array:
    """Return random tokens of a vocabulary."""
    return np.random.default_rng(seed).integers(0, vocabulary, shape)
