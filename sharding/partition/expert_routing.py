"""Expert routing in a static schedule: scores, choice, and the room for the chosen."""

from typing import NamedTuple

from chip.dataflow import Function
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import (
    MatrixParts,
    matrix_product,
    stored_matrices,
    vector,
)
from sharding.operators.operators import ShardedOperator
from sharding.parallelism.tensor_group import Range, Routing
from sharding.partition.block_partition import BlockPartition
from sharding.weights.task import Task
from specs.router import RouterScores, RouterSpec
from specs.units import ceil_div
from workloads.feed_forward_attributes import ChoiceAttributes
from workloads.operators import GraphOperator, is_shared


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


def routed(task: Task, layer: int = 0) -> Routed:
    """Return the experts and pairs for which an expert group's operators have room.

    In the worst case all tokens choose as many experts of one group as they can, and
    all different ones. With a balanced router, no group gets more than its even share
    of all pairs. If all experts are computed, each has all tokens. A dense layer has
    one feed-forward, which all tokens use.
    """
    model = task.model
    if not model.has_experts(layer):
        return Routed(experts=1, pairs=task.tokens)
    held = model.experts // task.expert
    if task.routing is Routing.ALL:
        return Routed(experts=held, pairs=held * task.tokens)
    pairs = min(model.experts_per_token, held) * task.tokens
    if task.routing is Routing.BALANCED:
        share = ceil_div(model.experts_per_token * task.tokens, task.expert)
        pairs = min(pairs, share)
    return Routed(experts=min(held, pairs), pairs=pairs)


def score_experts(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded product of each chip's shard with the router's matrix.

    A later part of a block receives the partial scores from the stage before.
    """
    if not part.block.opens:
        return []
    weighed, *others = operator.inputs
    scores = part.columns(operator.outputs[0])
    matrices = [name for name in others if part.rows(name) > 1 or is_shared(name)]
    # Weights and bias of a norm are rows of their own.
    affine = [name for name in others if name not in matrices]
    experts = sum(part.rows(name) for name in matrices)
    every = Range(0 * part.ones, experts * part.ones)

    def multiplies() -> tuple[Operation, ...]:
        reads = (
            operand(weighed, *part.shard),
            *(
                operand(matrix, 0, part.rows(matrix) * part.ones, *part.shard)
                for matrix in matrices
            ),
            *(operand(vector, *part.shard) for vector in affine),
        )
        made = (operand(operator.outputs[0], 0, scores * part.ones, *part.shard),)
        return (Operation(operator.name, Function.ROUTER, reads, made),)

    return [
        matrix_product(
            part.task,
            "router",
            inner=part.shard.sizes,
            columns=(experts * part.ones,),
            rows=part.task.tokens + len(affine),
            inputs=part.shard.sizes * (part.task.tokens + len(affine)),
            outputs=scores * part.ones * part.task.tokens,
            tokens=1,
            stored=stored_matrices(
                MatrixParts(part.task.formats.others, (every,), (part.shard,))
            ),
            computes=multiplies,
        )
    ]


def choose_experts(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded choice of experts, which every chip makes by all scores."""
    scores, squares, *vectors = operator.inputs
    columns = part.columns(scores) * part.ones
    attributes = operator.attributes_as(ChoiceAttributes)
    router = attributes.router

    def chooses() -> tuple[Operation, ...]:
        reads = (
            operand(scores, 0, columns, 0, part.hidden),
            operand(squares, 0, part.columns(squares) * part.ones, 0, part.hidden),
            *(operand(name, 0, part.columns(name) * part.ones) for name in vectors),
        )
        made = tuple(
            operand(name, 0, part.columns(name) * part.ones)
            for name in operator.outputs
        )
        return (Operation(operator.name, Function.CHOOSE, reads, made),)

    return [
        vector(
            part.task,
            "choose",
            columns,
            # Behind a LayerNorm a mean is subtracted, and scores of its bias added.
            operations=4 + router.vectors + 2 * attributes.centred,
            passes=2,
            operands=1 + router.vectors,
            reductions=attributes.experts_per_token
            + _added_reductions(router, attributes.experts_per_token),
            computes=chooses,
        )
    ]


def _added_reductions(router: RouterSpec, chosen: int) -> int:
    """Return the reductions of a choice of experts beside the best of all.

    A softmax over all experts needs its sum, and groups their best.
    """
    softmax = router.scores is RouterScores.SOFTMAX and router.before_choice
    if router.scores is RouterScores.SPARSEMIXER:
        # A sum for each expert.
        return chosen
    grouped = router.group_best + router.groups_per_token
    return softmax + grouped * (router.groups > 1)
