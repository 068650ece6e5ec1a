"""Expanded form of latent attention: keys and values of all positions are made first.

They are made anew in each iteration, of the cached latents and the new ones.
"""

from chip.dataflow import Function
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import matrix_product
from sharding.operators.operators import Compute
from sharding.partition.attention_cuts import LatentCuts, beside
from sharding.partition.block_partition import BlockPartition
from workloads.operators import GraphOperator


def expanded_scores(
    part: BlockPartition, operator: GraphOperator
) -> tuple[Compute, ...]:
    """Return the product that makes keys and values, and that of queries with keys."""
    cuts, task = LatentCuts(part), part.task
    sizes, heads = cuts.sizes, cuts.split.heads
    expanded = operand(beside(operator, "expanded"), *cuts.of_heads(sizes.expanded_dim))
    positions = task.batch * task.cached_tokens(part.block)

    def expands() -> tuple[Operation, ...]:
        reads = (*cuts.latents(operator), cuts.up_weights(operator))
        return (Operation(operator.name, Function.EXPAND, reads, (expanded,)),)

    def scores() -> tuple[Operation, ...]:
        queries = operand(operator.inputs[0], *cuts.of_heads(sizes.head_dim))
        reads = (queries, expanded, *cuts.latents(operator))
        made = (cuts.scores(operator.outputs[0]),)
        return (Operation(operator.name, Function.SCORES, reads, made),)

    return (
        matrix_product(
            task,
            "expand",
            inner=sizes.kv_rank * cuts.attends,
            columns=(heads * sizes.expanded_dim,),
            stored=cuts.stored(heads * sizes.expanded_dim),
            rows=positions,
            inputs=positions * sizes.kv_rank * cuts.attends,
            outputs=positions * heads * sizes.expanded_dim,
            tokens=1,
            # Scores and values.
            readers=2,
            computes=expands,
        ),
        matrix_product(
            task,
            "scores",
            inner=sizes.head_dim * cuts.attends,
            columns=(cuts.positions,),
            matrices=heads * task.batch,
            rows=task.sequence_tokens,
            inputs=heads * sizes.head_dim * task.tokens,
            outputs=cuts.score_elements,
            stored=task.activation_format,
            ready=0 * heads,
            tokens=1,
            computes=scores,
        ),
    )


def expanded_values(
    part: BlockPartition, operator: GraphOperator
) -> tuple[Compute, ...]:
    """Return the product of weights with the values that were made."""
    cuts, task = LatentCuts(part), part.task
    sizes, heads = cuts.sizes, cuts.split.heads

    def attends() -> tuple[Operation, ...]:
        expanded = beside(operator, "expanded")
        reads = (
            cuts.scores(operator.inputs[0]),
            operand(expanded, *cuts.of_heads(sizes.expanded_dim)),
        )
        made = (operand(operator.outputs[0], *cuts.context),)
        return (Operation(operator.name, Function.ATTEND, reads, made),)

    return (
        matrix_product(
            task,
            "values",
            inner=cuts.positions,
            columns=(sizes.value_dim * cuts.attends,),
            matrices=heads * task.batch,
            rows=task.sequence_tokens,
            inputs=cuts.score_elements,
            outputs=heads * sizes.value_dim * task.tokens,
            stored=task.activation_format,
            ready=0 * heads,
            tokens=1,
            computes=attends,
        ),
    )
