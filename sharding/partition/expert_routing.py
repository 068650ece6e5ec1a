"""Expert routing in a static schedule: the experts that a group must have room for."""

from typing import NamedTuple

from sharding.parallelism.tensor_group import Routing
from sharding.weights.task import Task
from specs.units import ceil_div


class Routed(NamedTuple):
    """The largest work of an expert group, whichever experts tokens choose.

    Attributes
    ----------
    experts
        Experts whose weights are multiplied.
    pairs
        Pairs of a token and one of its experts.
    """

    experts: int
    pairs: int


def routed(task: Task) -> Routed:
    """Return the experts and pairs for which an expert group's operators have room.

    In the worst case all tokens choose as many experts of one group as they can, and
    all different ones. With a balanced router, no group gets more than its even share
    of all pairs.
    """
    model = task.model
    held = model.experts // task.expert
    pairs = min(model.experts_per_token, held) * task.tokens
    if task.routing is Routing.BALANCED:
        share = ceil_div(model.experts_per_token * task.tokens, task.expert)
        pairs = min(pairs, share)
    return Routed(experts=min(held, pairs), pairs=pairs)
