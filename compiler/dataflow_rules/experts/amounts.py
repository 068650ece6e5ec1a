"""Amounts of work that a choice of experts takes, and that the chosen ones take.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from sharding.weights.task import Task
from specs.arrays import Ints


def expert_slots(task: Task, groups: int, tokens: Ints) -> tuple[Ints, Ints]:
    """Return, for dataflow rules, the experts that there is room for, and their pairs.

    A pair is a token and one of its experts. In the worst case all tokens choose as
    many experts of one group as they can, and all different ones. If all experts are
    computed, each has all tokens.

    Parameters
    ----------
    task
        Model and routing of the plan.
    groups
        Groups of chips, each with whole experts of its own.
    tokens
        Tokens that are computed together.
    """
    model = task.model
    held = model.experts // groups
    if task.routing.value == "all":
        return held + 0 * tokens, held * tokens
    pairs = min(model.experts_per_token, held) * tokens
    if task.routing.value == "balanced":
        pairs = np.minimum(pairs, -(-model.experts_per_token * tokens // groups))
    return np.minimum(held, pairs), pairs


def choosing_reductions(task: Task) -> int:
    """Return, for dataflow rules, the reductions over scores that a choice takes.

    These are one for each expert that is chosen, one for a sum over all, and those of
    the best of a group and of the groups that are chosen from.
    """
    router = task.model.router
    count = task.model.experts_per_token
    if router.scores.value == "sparsemixer":
        return 2 * count
    if router.scores.value == "softmax" and router.before_choice:
        count += 1
    if router.groups > 1:
        count += router.group_best + router.groups_per_token
    return count
