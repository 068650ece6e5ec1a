"""Which experts have their place in a schedule that cannot know what is chosen."""

from typing import NamedTuple

from sharding.parallelism.tensor_group import Routing
from sharding.transformer.task import Task
from specs.units import ceil_div


class Routed(NamedTuple):
    """What each group of experts computes, whatever is chosen.

    Attributes
    ----------
    experts
        Experts whose weights are multiplied.
    pairs
        Pairs of a token and an expert.
    """

    experts: int
    pairs: int


def routed(task: Task) -> Routed:
    """Return what has its place in the schedule of a group of experts.

    The worst is that all tokens choose as many experts of one group as they can, and
    all of them different ones. Where the router is known to be balanced, no group gets
    more than its even share of all pairs.
    """
    model = task.model
    held = model.experts // task.expert
    pairs = min(model.experts_per_token, held) * task.tokens
    if task.routing is Routing.BALANCED:
        share = ceil_div(model.experts_per_token * task.tokens, task.expert)
        pairs = min(pairs, share)
    return Routed(experts=min(held, pairs), pairs=pairs)
