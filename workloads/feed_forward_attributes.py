"""Attributes of the operators of a feed-forward: the choice of experts, activation."""

from dataclasses import dataclass
from typing import final

from specs.router import SOFTMAX_ROUTER, RouterSpec


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceAttributes:
    """Attributes of the choice of experts.

    Parameters
    ----------
    experts, experts_per_token
        Experts that there are, and that a row uses.
    columns
        Width of the normalised rows, whose sums of squares are read.
    epsilon
        Number added to their mean square.
    centred
        Whether rows are normalised by a LayerNorm. Then the scores of the rows before
        it are followed by those of its weights and by those of its bias.
    router
        How scores become weights. Its bias and its correction, if it has them, are the
        last operands.
    """

    experts: int
    experts_per_token: int
    columns: int
    epsilon: float
    centred: bool = False
    router: RouterSpec = SOFTMAX_ROUTER


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateAttributes:
    """Attributes of an activation.

    Parameters
    ----------
    activation
        Name of the function, as in Hugging Face transformers.
    gated
        Whether the activated operand, the gate, multiplies another one.
    biased
        Whether a bias is added to each operand before.
    experts
        Experts whose columns follow each other.
    chosen
        Whether the last operand are weights that multiply the columns of each expert.
    alpha
        Factor of the activated operand within its sigmoid, of ``silu``.
    limit
        Largest value of the gate, and largest magnitude of the other operand; None
        without a limit.
    offset
        Number that is added to the other operand.
    weighs_inputs
        Whether operands are multiplied by these weights, not what is made of them.
    """

    activation: str
    gated: bool = False
    biased: bool = False
    experts: int = 1
    chosen: bool = False
    alpha: float = 1.0
    limit: float | None = None
    offset: float = 0.0
    weighs_inputs: bool = False
