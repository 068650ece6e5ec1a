"""Whether a model can be split as a strategy says, or why not and what would do."""

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from specs.errors import PlanError
from specs.model import ModelSpec


def check_model(strategy: Strategy, model: ModelSpec) -> None:
    """Refuse a strategy that says what the model does not have.

    Raises
    ------
    PlanError
        If groups are wider than the hidden size, experts do not divide evenly into
        groups, or a feed-forward cannot be cut both ways.
    """
    if strategy.tensor > model.hidden_size:
        raise PlanError(
            f"tensor={strategy.tensor} is wider than the hidden size "
            f"{model.hidden_size} of {model.name}; "
            f"use tensor={model.hidden_size} or less"
        )
    if strategy.expert > 1:
        _check_experts(strategy, model)
    if strategy.layout is FeedForwardLayout.TWO_D:
        _check_grid(model)


def _check_experts(strategy: Strategy, model: ModelSpec) -> None:
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
    """Refuse what must be known of the whole input before a product of a part of it."""
    if model.experts > 1:
        raise PlanError(
            f"layout=2d multiplies before all of the input has met, and {model.name} "
            f"chooses its experts by all of it; use layout=1d"
        )
    if model.structure.layer_norms:
        raise PlanError(
            f"layout=2d scales after the product, and {model.name} subtracts a mean "
            f"before it; use layout=1d"
        )
