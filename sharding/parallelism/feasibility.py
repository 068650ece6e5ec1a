"""Feasibility of a strategy for a model: what the model's sizes do not allow."""

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, Routing
from specs.errors import PlanError
from specs.model import ModelSpec


def check_model(strategy: Strategy, model: ModelSpec) -> None:
    """Check a parallelism strategy against the sizes and the structure of a model.

    Raises
    ------
    PlanError
        If a tensor group is wider than the hidden size, experts do not divide evenly
        into groups, the feed-forward does not allow a 2D layout, or more chips share
        latent or linear attention than it has heads.
    """
    if strategy.tensor > model.hidden_size:
        raise PlanError(
            f"tensor={strategy.tensor} is wider than the hidden size "
            f"{model.hidden_size} of {model.name}; "
            f"use tensor={model.hidden_size} or less"
        )
    if strategy.expert > 1:
        _check_experts(strategy, model)
    if strategy.routing is not Routing.WORST and model.experts == 1:
        raise PlanError(
            f"routing={strategy.routing} is about experts, and {model.name} has none; "
            f"leave it out"
        )
    if strategy.layout is FeedForwardLayout.TWO_D:
        _check_grid(model)
    if model.latent is not None:
        _check_heads(strategy, model, "latent", model.attention_heads, "heads")
    if model.linear is not None:
        _check_heads(strategy, model, "linear", model.linear.key_heads, "key heads")


def check_mirrors(model: ModelSpec, *, mirrored: bool) -> None:
    """Check that what a sharded model keeps of sequences can be mirrored, if it is.

    Raises
    ------
    PlanError
        If it is to be, and states of linear attention are among it: every token
        replaces all of a state, which no message carries.
    """
    if mirrored and model.linear is not None:
        raise PlanError(
            f"failover.kv_cache=mirrored: {model.name} has linear attention, whose "
            f"states are not mirrored; use failover.kv_cache=recompute"
        )


def check_positions(model: ModelSpec, context: int) -> None:
    """Check that a model has a row of its table of positions for a whole context.

    Parameters
    ----------
    model
        The model; one that rotates its positions has no table.
    context
        Positions of the longest sequence.

    Raises
    ------
    PlanError
        If the context is beyond the table; no strategy helps.
    """
    if model.position_rows and context > model.max_context_tokens:
        raise PlanError(
            f"{model.name} has learned its positions, and only "
            f"{model.max_context_tokens}: context {context} is beyond them; "
            f"use --context {model.max_context_tokens} or less"
        )


def _check_experts(strategy: Strategy, model: ModelSpec) -> None:
    """Check that the experts of a model divide evenly into expert groups."""
    if model.experts == 1:
        raise PlanError(
            f"expert={strategy.expert} divides experts, and {model.name} has none; "
            f"leave it out"
        )
    if model.experts % strategy.expert:
        both = [
            str(groups)
            for groups in range(2, model.experts + 1)
            if model.experts % groups == strategy.tensor % groups == 0
        ]
        others = f"use expert={' or '.join(both)}" if both else "leave it out"
        raise PlanError(
            f"expert={strategy.expert} does not divide the {model.experts} experts of "
            f"{model.name}, and each group has as many; {others}"
        )


def _check_grid(model: ModelSpec) -> None:
    """Check that a 2D layout may multiply a part of the input before all is gathered.

    A router and a LayerNorm need the whole input first.
    """
    if model.experts > 1:
        raise PlanError(
            f"layout=2d multiplies before all of the input has met, and {model.name} "
            f"chooses its experts by all of it; use layout=1d"
        )
    if not model.structure.normalises_inputs:
        raise PlanError(
            f"layout=2d multiplies before all of the input has met, and {model.name} "
            f"has no norm whose factor may follow; use layout=1d"
        )
    if model.structure.layer_norms:
        raise PlanError(
            f"layout=2d scales after the product, and {model.name} subtracts a mean "
            f"before it; use layout=1d"
        )


def _check_heads(
    strategy: Strategy, model: ModelSpec, kind: str, heads: int, what: str
) -> None:
    """Check that each chip that attends has a head of latent or linear attention.

    A chip has all latents, and the whole state of a head: chips that shared a head
    would have them twice.
    """
    width = strategy.attention or strategy.tensor
    if width <= heads:
        return
    most = max(n for n in range(1, heads + 1) if strategy.tensor % n == 0)
    raise PlanError(
        f"{width} chips share the {kind} attention of {model.name}, which has {heads} "
        f"{what}, and none is split; use attention={most} or tensor={heads} or less"
    )
