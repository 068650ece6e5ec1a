import numpy as np
import pytest

from chip.operator_work import LookupWork, ProductWork, Shape, VectorWork
from sharding.operators.operators import Unit
from sharding.parallelism.grid import Grid
from sharding.workloads.workload_builders import (
    lookup_operator,
    matmul,
    partial_sum,
    vector_elements,
    vector_operator,
)
from sharding.workloads.workload_plan import WorkloadPlan, WorkloadStage
from sharding.workloads.workload_planner import plan_workload
from specs.formats import Format
from specs.graph import Matmul, Vector
from specs.machine import load_machine
from workloads.graphs.workload import load_workload

MACHINE = load_machine()
FP16_BITS = 16


def planned(name: str, grid: Grid) -> WorkloadPlan:
    return plan_workload(load_workload(name), MACHINE, grid, np.arange(grid.chips))


@pytest.fixture(scope="module")
def mlp() -> WorkloadPlan:
    """Return norm, up, activate and down over two columns and two rows."""
    return planned("mlp", Grid(column=2, row=2))


def vector_of(plan: WorkloadPlan, number: int) -> Vector:
    operator = plan.workload.operators[number]
    assert isinstance(operator, Vector)
    return operator


def product_of(plan: WorkloadPlan, number: int) -> Matmul:
    operator = plan.workload.operators[number]
    assert isinstance(operator, Matmul)
    return operator


def test_a_vector_operator_computes_its_largest_operand_or_what_it_says() -> None:
    lstm = planned("lstm:64", Grid(column=1, row=1))
    cell = vector_of(lstm, 1)
    assert vector_elements(lstm, cell) == 256
    unsaid = cell.model_copy(update={"elements": None})
    assert vector_elements(lstm, unsaid) == 4 * 64
    fewer = cell.model_copy(update={"elements": 10})
    assert vector_elements(lstm, fewer) == 10


def test_a_vector_operator_reads_all_operands_and_allocates_no_result(
    mlp: WorkloadPlan,
) -> None:
    norm = vector_operator(mlp, vector_of(mlp, 0), np.array([8, 0, 8, 4]))
    assert (norm.name, norm.unit) == ("norm", Unit.VECTOR)

    def work(elements: int) -> VectorWork:
        # A norm adds up squares over the lanes.
        return VectorWork(
            elements,
            FP16_BITS,
            operations=3,
            passes=2,
            operands=2,
            readers=0,
            reductions=1,
        )

    assert norm.works == (work(8), work(0), work(8), work(4))


def test_partial_sums_of_the_rows_of_the_grid_are_added(mlp: WorkloadPlan) -> None:
    add = partial_sum(mlp, "up add", Format.FP16, np.array([8] * 4))
    assert (add.name, add.unit) == ("up add", Unit.VECTOR)
    summed = VectorWork(8, FP16_BITS, operations=2, operands=2, readers=0)
    assert add.works == (summed,) * 4


def test_a_lookup_reads_its_bytes_on_each_chip(mlp: WorkloadPlan) -> None:
    embed = lookup_operator(mlp, "embed", np.array([64, 0, 64, 32]))
    assert (embed.name, embed.unit) == ("embed", Unit.LOOKUP)
    works = tuple(LookupWork(size, 0) for size in (64, 0, 64, 32))
    assert embed.works == works


def test_a_product_streams_its_rows_once_for_each_column_of_tiles(
    mlp: WorkloadPlan,
) -> None:
    wide, one = MACHINE.chip.lanes + 1, np.ones(1, dtype=np.int64)

    def work(rows: int) -> ProductWork:
        (work,) = matmul(
            mlp,
            product_of(mlp, 1),
            rows=rows,
            inner=(10 * one,),
            columns=wide * one,
            matrices=one,
            chain=None,
            elements=0 * one,
        ).works
        assert isinstance(work, ProductWork)
        return work

    # Weights are FP8 and activations FP16: two tiles, one round.
    assert work(16) == ProductWork(
        shape=Shape((10,), (wide,)),
        rows=16,
        stored_bytes=10 * wide,
        operand_bytes=2,
        input_bytes=2 * 16 * 10 * 2,
        output_bytes=16 * wide * 2,
        ready_rounds=1,
        readers=0,
    )
    # A single vector stays in the planes.
    assert work(1).input_bytes == 10 * 2


def test_a_chained_operator_works_on_the_results_of_the_product_as_they_leave(
    mlp: WorkloadPlan,
) -> None:
    ones = np.ones(2, dtype=np.int64)
    product = matmul(
        mlp,
        product_of(mlp, 1),
        rows=16,
        inner=(4 * ones,),
        columns=np.array([3, 0]),
        matrices=ones,
        chain=vector_of(mlp, 2),
        elements=np.array([48, 0]),
    )
    assert product.name == "up, activate"
    busy, idle = product.works
    assert isinstance(busy, ProductWork)
    assert isinstance(idle, ProductWork)
    # Its only operand is the product's result, which memory does not hold. Each of the
    # rows begins at the first lane.
    assert busy.chain == VectorWork(
        48, FP16_BITS, operations=6, operands=0, readers=0, vectors=16
    )
    assert idle.chain is None


def test_inputs_side_by_side_and_gates_are_padded_each() -> None:
    lstm, one = planned("lstm:64", Grid(column=1, row=1)), np.ones(1, dtype=np.int64)
    (work,) = matmul(
        lstm,
        product_of(lstm, 0),
        rows=1,
        inner=(64 * one, 0 * one, 20 * one),
        columns=256 * one,
        matrices=one,
        chain=vector_of(lstm, 1),
        elements=256 * one,
    ).works
    assert isinstance(work, ProductWork)
    # Four gates of 64; what a chip has none of takes no tile. INT8 mode: 2 x 4 tiles,
    # four to a round.
    assert work.shape == Shape((64, 20), (64, 64, 64, 64))
    assert (work.operand_bytes, work.ready_rounds) == (1, 2)
    # Each gate of the only row begins at the first lane.
    assert work.chain is not None
    assert work.chain.vectors == 4


def test_weights_that_a_router_chooses_cannot_be_loaded_ahead(
    mlp: WorkloadPlan,
) -> None:
    ones = np.ones(1, dtype=np.int64)
    chosen = product_of(mlp, 1).model_copy(update={"chosen": 1})
    (work,) = matmul(
        mlp,
        chosen,
        rows=1,
        inner=(4 * ones,),
        columns=3 * ones,
        matrices=ones,
        chain=None,
        elements=0 * ones,
    ).works
    assert isinstance(work, ProductWork)
    assert work.ready_rounds == 0


def test_a_workload_is_one_stage_of_one_replica(mlp: WorkloadPlan) -> None:
    (stage,) = mlp.stages
    assert isinstance(stage, WorkloadStage)
    assert (stage.index, stage.replica, stage.layers) == (0, 0, "mlp")
    assert stage.chips.tolist() == [0, 1, 2, 3]
