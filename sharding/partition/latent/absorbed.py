"""Absorbed form of latent attention: heads attend to the latents themselves.

Queries are multiplied by the weights of the keys, score the latents, and what each head
mixes of them is multiplied by the weights of its values.
"""

import numpy as np

from chip.dataflow import Function
from chip.mxm_tiling import tiling
from sharding.operators.operands import Operation, operand
from sharding.operators.operator_builders import matrix_product
from sharding.operators.operators import Compute
from sharding.partition.attention_cuts import LatentCuts, beside
from sharding.partition.block_partition import BlockPartition
from specs.arrays import Ints
from workloads.operators import GraphOperator


def absorbed_scores(
    part: BlockPartition, operator: GraphOperator
) -> tuple[Compute, ...]:
    """Return the products of queries with weights of keys, and with the latents."""
    cuts, task = LatentCuts(part), part.task
    sizes, heads = cuts.sizes, cuts.split.heads
    absorbed = operand(beside(operator, "absorbed"), *cuts.of_heads(sizes.cached_size))

    def absorbs() -> tuple[Operation, ...]:
        queries = operand(operator.inputs[0], *cuts.of_heads(sizes.head_dim))
        reads = (queries, cuts.up_weights(operator))
        return (Operation(operator.name, Function.ABSORB, reads, (absorbed,)),)

    def scores() -> tuple[Operation, ...]:
        reads = (absorbed, *cuts.latents(operator))
        made = (cuts.scores(operator.outputs[0]),)
        return (Operation(operator.name, Function.SCORES, reads, made),)

    return (
        matrix_product(
            task,
            "absorb",
            inner=sizes.plain_dim * cuts.attends,
            columns=(sizes.kv_rank * cuts.attends,),
            matrices=heads,
            stored=cuts.stored(sizes.plain_dim, heads),
            # What is rotated passes to its place beside what is multiplied.
            inputs=heads * sizes.head_dim,
            outputs=heads * sizes.cached_size,
            computes=absorbs,
        ),
        matrix_product(
            task,
            "scores",
            inner=sizes.cached_size * cuts.attends,
            columns=(cuts.positions,),
            matrices=task.batch * cuts.attends,
            rows=heads * task.sequence_tokens,
            inputs=heads * sizes.cached_size * task.tokens,
            outputs=cuts.score_elements,
            stored=task.cached_format,
            ready=_known_rounds(part, sizes.cached_size),
            tokens=1,
            computes=scores,
        ),
    )


def absorbed_values(
    part: BlockPartition, operator: GraphOperator
) -> tuple[Compute, ...]:
    """Return the products of weights with the latents, and with weights of values."""
    cuts, task = LatentCuts(part), part.task
    sizes, heads = cuts.sizes, cuts.split.heads
    mixed = operand(beside(operator, "latent_context"), *cuts.of_heads(sizes.kv_rank))

    def attends() -> tuple[Operation, ...]:
        weights = cuts.scores(operator.inputs[0])
        reads = (weights, *cuts.latents(operator))
        return (Operation(operator.name, Function.ATTEND, reads, (mixed,)),)

    def makes_values() -> tuple[Operation, ...]:
        reads = (mixed, cuts.up_weights(operator))
        made = (operand(operator.outputs[0], *cuts.context),)
        return (Operation(operator.name, Function.EXPAND_VALUES, reads, made),)

    return (
        matrix_product(
            task,
            "values",
            inner=cuts.positions,
            columns=(sizes.kv_rank * cuts.attends,),
            matrices=task.batch * cuts.attends,
            rows=heads * task.sequence_tokens,
            inputs=cuts.score_elements,
            outputs=heads * sizes.kv_rank * task.tokens,
            stored=task.cached_format,
            ready=_known_rounds(part, sizes.kv_rank),
            tokens=1,
            computes=attends,
        ),
        matrix_product(
            task,
            "expand_values",
            inner=sizes.kv_rank * cuts.attends,
            columns=(sizes.value_dim * cuts.attends,),
            matrices=heads,
            stored=cuts.stored(sizes.value_dim, heads),
            inputs=heads * sizes.kv_rank,
            outputs=heads * sizes.value_dim,
            computes=makes_values,
        ),
    )


def _known_rounds(part: BlockPartition, columns: int) -> Ints:
    """Return the rounds of latents that can be loaded before they are multiplied.

    Those with the newest positions cannot.
    """
    cuts, task = LatentCuts(part), part.task
    older = np.maximum(cuts.positions - task.sequence_tokens, 0)
    cut = tiling(task.machine.chip, task.operand_bytes(task.cached_format))
    known: Ints = -(-columns // cut.side) * (older // cut.side) * task.batch
    return known // cut.at_once
