from collections.abc import Callable

from chip.dataflow import Function
from chip.operator_work import ProductWork, Shape
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, ShardedOperator
from sharding.parallelism.tensor_group import Routing
from sharding.partition.block_partition import BlockPartition
from sharding.partition.expert_routing import score_experts
from sharding.partition.products import inner_cut, multiply
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
AT = "layers.{layer}.feed_forward"
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
WHOLE = Block(BlockKind.FEED_FORWARD, 0, 0, 2, 2)


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def parts(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.part_first.tolist(), each.part_last.tolist(), strict=True))


def test_the_inner_columns_are_queries_in_attention_and_else_intermediate(
    task: Task,
) -> None:
    # Eight rows of queries, 12 intermediate columns, and six of half a block.
    attention = BlockPartition(task, ATTENTION)
    assert inner_cut(attention).start.tolist() == [0, 2, 4, 6]
    assert inner_cut(BlockPartition(task, WHOLE)).start.tolist() == [0, 3, 6, 9]
    half = BlockPartition(task, WHOLE._replace(last=1))
    assert inner_cut(half).end.tolist() == [1, 3, 4, 6]


def test_first_products_are_cut_by_what_they_make(task: Task, cut: Cut) -> None:
    (product,) = cut(multiply, GraphFunction.PRODUCT, task, WHOLE)
    assert isinstance(product, Compute)
    # Two matrices of 8 x 3 elements of 1 B; in FP16 three tokens of 8, then of 6. The
    # gate meets what it multiplies: a tile each, both of a round.
    work = ProductWork(
        shape=Shape((8,), (3, 3)),
        rows=3,
        stored_bytes=48,
        operand_bytes=2,
        input_bytes=3 * 8 * 2,
        output_bytes=3 * 6 * 2,
        ready_rounds=1,
    )
    assert product.works == (work,) * 4
    ((name, function, reads, made),) = product.operations()
    assert (name, function) == (f"{AT}.gate_up", Function.PRODUCT)
    assert columns(reads[0]) == [(0, 8)] * 4
    for each in (*reads[1:], *made):
        assert columns(each) == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert [parts(each) for each in reads[1:]] == [[(0, 8)] * 4] * 2


def test_queries_keys_and_values_lie_side_by_side(task: Task, cut: Cut) -> None:
    (product,) = cut(multiply, GraphFunction.PRODUCT, task, ATTENTION)
    assert isinstance(product, Compute)
    # Two rows of queries, one of keys and one of values, of eight columns each.
    shapes = {w.shape for w in product.works if isinstance(w, ProductWork)}
    assert shapes == {Shape((8,), (4,))}


def test_the_last_product_is_cut_by_what_it_reads(task: Task, cut: Cut) -> None:
    def last(part: BlockPartition, _: object) -> list[ShardedOperator]:
        return multiply(part, part.operators[-2])

    (product,) = cut(last, GraphFunction.PRODUCT, task, WHOLE)
    assert isinstance(product, Compute)
    shapes = [work.shape for work in product.works if isinstance(work, ProductWork)]
    assert shapes == [Shape((3,), (8,))] * 4
    (operation,) = product.operations()
    activated, weights = operation.reads
    (partial,) = operation.writes
    shares = [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert columns(activated) == parts(weights) == parts(partial) == shares
    # Every chip has a part of all eight columns of the sum.
    assert columns(weights) == columns(partial) == [(0, 8)] * 4


def test_matrices_of_experts_are_not_ready_before_the_choice(
    routed: Task, cut: Cut
) -> None:
    (product,) = cut(multiply, GraphFunction.PRODUCT, routed, WHOLE)
    assert isinstance(product, Compute)
    work = product.works[0]
    assert isinstance(work, ProductWork)
    # Three tokens may choose all four experts: two matrices of 8 x 3 of each.
    assert (work.shape, work.ready_rounds) == (Shape((8,), (3, 3), 4), 0)
    assert work.output_bytes == 3 * 4 * 6 * 2
    (operation,) = product.operations()
    assert [each.value for each in operation.reads][1] == f"{AT}.choice"
    assert columns(operation.reads[2])[:4] == [(0, 3), (12, 15), (24, 27), (36, 39)]


def test_a_router_multiplies_each_shard_with_its_columns_of_the_matrix(
    routed: Task, cut: Cut
) -> None:
    (router,) = cut(score_experts, GraphFunction.ROUTER, routed, WHOLE)
    assert isinstance(router, Compute)
    # Two columns for four experts; three tokens of two elements, then four scores.
    work = ProductWork(
        shape=Shape((2,), (4,)),
        rows=3,
        stored_bytes=8,
        operand_bytes=2,
        input_bytes=3 * 2 * 2,
        output_bytes=3 * 4 * 2,
        ready_rounds=1,
    )
    assert router.works == (work,) * 4
    ((name, function, (weighed, matrix), (scores,)),) = router.operations()
    assert (name, function) == (f"{AT}.router", Function.ROUTER)
    shards = [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert columns(weighed) == parts(matrix) == parts(scores) == shards
    assert columns(matrix) == columns(scores) == [(0, 4)] * 4
    assert (matrix.value, scores.value) == (
        f"{AT}.router.weight",
        f"{AT}.router_scores",
    )


def test_a_later_part_of_a_block_scores_no_experts(routed: Task, cut: Cut) -> None:
    later = WHOLE._replace(first=1)
    assert cut(score_experts, GraphFunction.ROUTER, routed, later) == []


def test_weights_of_experts_are_loaded_ahead_if_no_router_gives_their_address(
    routed: Task, cut: Cut
) -> None:
    every = routed._replace(batch=1, routing=Routing.ALL)
    (product,) = cut(multiply, GraphFunction.PRODUCT, every, WHOLE)
    assert isinstance(product, Compute)
    work = product.works[0]
    assert isinstance(work, ProductWork)
    # A token chooses two of the four experts; in FP16, two tiles are a round.
    assert work.shape.matrices == 4
    assert work.ready_rounds == 4
