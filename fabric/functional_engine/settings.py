"""Settings of operators: the numbers that functions need beside their operands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.functional_engine.graph_settings import GraphSettings
from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from specs.router import SOFTMAX_ROUTER, RouterSpec


def unchanged(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return `x`, as an activation that does nothing."""
    return x


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSettings:
    """Settings of one operator; a function reads those that it needs.

    Parameters
    ----------
    epsilon
        Number added to a mean square or a variance.
    centred
        Whether a norm subtracts the mean and adds a bias.
    unit_offset
        Whether weights of a norm are stored as their difference from 1.
    scale
        Factor of looked-up rows, of scores, or of what is added to the residual.
    divisor
        Divisor of logits.
    first_row
        Row of the position table for position 0.
    head_dim
        Elements of a head.
    whole
        Whether a norm of heads is of all heads together.
    frequencies
        Rotation of each pair of elements from one position to the next, in radians;
        element i is paired with the one that many places behind it.
    interleaved
        Whether pairs are neighbours instead.
    rotated_factor
        Factor of what is rotated.
    latent
        Sizes of latent attention, None without.
    linear
        Sizes of linear attention, None without.
    soft_cap
        Bound c of scores or logits x, which become c tanh(x / c); None without.
    slopes
        By how much scores of each query head fall from a position to the one before it;
        empty if they do not.
    causal
        Whether a position attends to itself and earlier ones only.
    window
        Last positions that a position attends to, itself included; None for all.
    activation
        Activation function.
    gate_limit, gate_offset
        Bound of a gate and of what it multiplies, None without; what is added to that.
    experts, experts_per_token
        Experts that there are, and those that a token uses.
    chunked
        Whether a window is a chunk: positions attend within their own one.
    query_growth, growth_positions
        Growth of queries with the logarithm of 1 and their position, counted from 1,
        over the second number.
    weighs_inputs
        Whether weights of experts multiply what is activated, not the result.
    chosen
        Whether the last operand of an activation are weights of experts.
    router
        How scores of experts become their weights.
    expert_columns
        Intermediate columns of each expert.
    balanced_groups
        Expert groups, if none has room for more than its even share of all pairs of a
        token and an expert; 0 if each has room for all.
    graph
        Settings of an operator of a graph that is not of a model.
    """

    epsilon: float = 0.0
    centred: bool = False
    unit_offset: bool = False
    scale: float = 1.0
    divisor: float = 1.0
    first_row: int = 0
    head_dim: int = 1
    whole: bool = False
    frequencies: tuple[float, ...] = ()
    interleaved: bool = False
    rotated_factor: float = 1.0
    latent: LatentAttention | None = None
    linear: LinearAttention | None = None
    soft_cap: float | None = None
    slopes: tuple[float, ...] = ()
    causal: bool = True
    window: int | None = None
    activation: Callable[[NDArray[np.floating]], NDArray[np.floating]] = unchanged
    gate_limit: float | None = None
    gate_offset: float = 0.0
    experts: int = 1
    experts_per_token: int = 1
    chunked: bool = False
    query_growth: float = 0.0
    growth_positions: int = 1
    weighs_inputs: bool = False
    chosen: bool = False
    router: RouterSpec = SOFTMAX_ROUTER
    expert_columns: int = 0
    balanced_groups: int = 0
    graph: GraphSettings | None = None
