"""All kinds of sabotage, family after family."""

from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.lie_kinds import LIE_KINDS
from experiments.sabotage.message_kinds import MESSAGE_KINDS
from experiments.sabotage.operation_kinds import OPERATION_KINDS
from experiments.sabotage.order_kinds import ORDER_KINDS
from experiments.sabotage.resource_kinds import RESOURCE_KINDS
from experiments.sabotage.statement_kinds import STATEMENT_KINDS
from experiments.sabotage.timing_kinds import TIMING_KINDS

KINDS: tuple[Sabotage, ...] = (
    *TIMING_KINDS,
    *MESSAGE_KINDS,
    *OPERATION_KINDS,
    *ORDER_KINDS,
    *STATEMENT_KINDS,
    *LIE_KINDS,
    *RESOURCE_KINDS,
)

# What only a model has: products, attention, layers, caches and passes.
_OF_MODELS = (
    "product",
    "multiplication",
    "multiplied",
    "attention",
    "keys",
    "cache",
    "layer",
    "expert",
    "norm",
    "activation",
    "softmax",
    "copy",
    "pass read",
    "answered",
    "weights read",
    "token not",
)
# What a collective without additions has not.
_OF_OPERATORS = (
    "operator",
    "partial sum",
    "before it begins",
)


def applies(case: SabotageCase, sabotage: Sabotage) -> bool:
    """Return whether a kind of sabotage means something of a program.

    Parameters
    ----------
    case, sabotage
        The program, and what is to be done to it.
    """
    if case.family == "graph":
        return not sabotage.needs_proof
    if case.family == "model":
        return True
    left_out = _OF_MODELS if len(case.flow.operations) else _OF_MODELS + _OF_OPERATORS
    return not any(words in sabotage.kind for words in left_out)
