import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_cycles import work_cycles
from chip.operator_work import ProductWork, Shape, VectorWork
from sharding.operators.operator_builders import (
    MatrixParts,
    StoredMatrices,
    matrix_product,
    stored_matrices,
    vector,
)
from sharding.operators.operators import Compute, Unit
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.formats import Format
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from specs.weight_formats import parse_weight_format

MACHINE = load_machine("groqrack")
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
HEAD = Block(BlockKind.HEAD, 1, 0, 1, 1)
widths = st.sampled_from([1, 2, 3, 8, 12])


def computes(task: Task, block: Block) -> dict[str, Compute]:
    operators = block_operators(task, block)
    return {each.name: each for each in operators if isinstance(each, Compute)}


@given(
    model=..., tensor=widths, batch=st.integers(1, 3), block=st.sampled_from(BlockKind)
)
def test_every_operator_does_on_slices_what_its_closed_forms_say(
    model: ModelSpec, tensor: int, batch: int, block: BlockKind
) -> None:
    whole = {BlockKind.ATTENTION: ATTENTION, BlockKind.FEED_FORWARD: FEED_FORWARD}
    task = Task(model, MACHINE, tensor, 40, batch)
    for operator in computes(task, whole.get(block, HEAD)).values():
        for work, cycles in zip(operator.works, operator.cycles, strict=True):
            assert work_cycles(MACHINE.chip, work) == cycles
            if cycles == 0:
                continue
            steps = lower(MACHINE.chip, work)
            read = sum(s.bytes for s in steps if s.port is SlicePort.MEM_READ)
            written = sum(s.bytes for s in steps if s.port is SlicePort.MEM_WRITE)
            assert (read, written) == (work.read_bytes, work.written_bytes)
            assert sum(s.macs for s in steps) == work.macs
        assert (operator.least_cycles <= operator.cycles).all()


@given(model=..., tensor=widths, context=st.integers(1, 1024))
def test_no_more_rounds_are_ready_than_a_product_has(
    model: ModelSpec, tensor: int, context: int
) -> None:
    task = Task(model, MACHINE, tensor, context, 1)
    for operator in computes(task, ATTENTION).values():
        for work in operator.works:
            if not isinstance(work, ProductWork):
                continue
            # Matrices here are a tile deep and wide, but for the positions of a head.
            long = max(*work.shape.inner, *work.shape.columns)
            tiles = work.shape.matrices * -(-long // 320) if work.weights else 0
            rounds = -(-tiles // 2)
            known = operator.name not in ("scores", "values")
            assert work.ready_rounds <= rounds
            assert work.ready_rounds == rounds or not known
            # The last tile of each head waits for the newest position.
            heads = work.shape.matrices if work.weights else 0
            assert known or 2 * work.ready_rounds <= tiles - heads


@given(model=..., tensor=widths, batch=st.integers(1, 3))
def test_a_layer_multiplies_each_weight_with_each_token(
    model: ModelSpec, tensor: int, batch: int
) -> None:
    task = Task(model, MACHINE, tensor, 40, batch)
    attention, dense = computes(task, ATTENTION), computes(task, FEED_FORWARD)
    projections = sum(
        work.macs for name in ("qkv", "output") for work in attention[name].works
    )
    assert projections == model.attention_parameters * task.tokens
    if model.experts == 1:
        macs = sum(work.macs for one in dense.values() for work in one.works)
        per_token = (1 + model.projections_in) * model.hidden_size
        assert macs == per_token * model.intermediate_size * task.tokens


def test_a_layer_of_llama_2_70b_on_eight_chips_in_numbers() -> None:
    task = Task(load_model("llama-2-70b"), MACHINE, 8, 4096, 1)
    attention, dense = computes(task, ATTENTION), computes(task, FEED_FORWARD)
    qkv, scores, down = (
        one.works[0] for one in (attention["qkv"], attention["scores"], dense["down"])
    )
    assert isinstance(qkv, ProductWork)
    assert isinstance(scores, ProductWork)
    assert isinstance(down, ProductWork)
    # Eight query heads, a key head and a value head of 128, from 8,192 inputs.
    assert qkv.shape == Shape((8192,), (1280,))
    assert qkv.macs == 1280 * 8192
    assert (qkv.input_bytes, qkv.output_bytes) == (2 * 8192, 2 * 1280)
    # The keys of 4,096 positions in FP16, of which the newest is not there yet: of 13
    # tiles 12, with 320 x 12 positions of the 4,095, and two tiles to a round.
    assert scores.shape == Shape((128,), (4096,))
    assert scores.rows == 8
    assert scores.macs == 8 * 128 * 4096
    assert (scores.stored_bytes, scores.operand_bytes) == (2 * 128 * 4096, 2)
    assert scores.ready_rounds == 6
    assert (scores.input_bytes, scores.output_bytes) == (2 * 1024, 2 * 8 * 4096)
    assert down.shape == Shape((3584,), (8192,))
    # 12 x 26 tiles, all of which may load before.
    assert down.ready_rounds == 156
    assert (down.input_bytes, down.output_bytes) == (2 * 3584, 2 * 8192)
    values, gates = attention["values"].works[0], dense["gate_up"].works[0]
    assert isinstance(values, ProductWork)
    assert isinstance(gates, ProductWork)
    # Positions are the rows of values. Gate and up are padded each.
    assert values.shape == Shape((4096,), (128,))
    assert values.ready_rounds == 6
    assert gates.shape == Shape((8192,), (3584, 3584))
    reduced = dense["reduce"].works[0]
    assert isinstance(reduced, VectorWork)
    # Eight partial sums and the residual.
    assert reduced.read_bytes == 9 * 2 * 1024


def test_experts_wait_for_the_router_and_the_router_for_nothing() -> None:
    task = Task(load_model("mixtral-8x7b"), MACHINE, 8, 4096, 1)
    dense = computes(task, FEED_FORWARD)
    # The router has 512 x 8 weights: two tiles of a round.
    for name, ready in (("router", 1), ("gate_up", 0), ("down", 0)):
        for work in dense[name].works:
            assert isinstance(work, ProductWork)
            assert work.ready_rounds == ready


def test_a_product_has_the_shape_of_its_matrices_on_each_chip(
    tiny: ModelSpec,
) -> None:
    task = Task(tiny, MACHINE, 2, 16, 3)
    product = matrix_product(
        task,
        "up",
        inner=np.array([8, 8]),
        columns=(np.array([4, 1]), np.array([2, 1])),
        stored=Format.FP8,
    )
    assert (product.name, product.unit) == ("up", Unit.MATMUL)
    wide, narrow = product.works
    # Three tokens of hidden size 8 in FP16; 8 x 6 weights of a byte, 6 outputs. Both
    # parts of the outputs take a tile, and two tiles are a round.
    assert wide == ProductWork(
        shape=Shape((8,), (4, 2)),
        rows=3,
        stored_bytes=48,
        operand_bytes=2,
        input_bytes=3 * 8 * 2,
        output_bytes=3 * 6 * 2,
        ready_rounds=1,
    )
    assert isinstance(narrow, ProductWork)
    assert narrow.output_bytes == 3 * 2 * 2


def test_a_product_of_states_says_its_vectors_and_what_is_ready(
    tiny: ModelSpec,
) -> None:
    task = Task(tiny, MACHINE, 1, 16, 3)
    (work,) = matrix_product(
        task,
        "scores",
        inner=np.array([4]),
        columns=(np.array([700]),),
        matrices=np.array([2]),
        rows=7,
        inputs=np.array([5]),
        outputs=np.array([10]),
        stored=Format.FP16,
        ready=np.array([2]),
        tokens=1,
    ).works
    assert work == ProductWork(
        shape=Shape((4,), (700,), 2),
        rows=7,
        stored_bytes=2 * 2 * 4 * 700,
        operand_bytes=2,
        input_bytes=5 * 2,
        output_bytes=10 * 2,
        ready_rounds=2,
    )


def test_a_vector_operator_works_on_the_elements_of_all_tokens(
    tiny: ModelSpec,
) -> None:
    task = Task(tiny, MACHINE, 2, 16, 3)
    add = vector(task, "add", np.array([4, 5]), operations=2, operands=2)
    assert (add.name, add.unit) == ("add", Unit.VECTOR)
    assert add.works == (
        VectorWork(3 * 4, 16, operations=2, operands=2),
        VectorWork(3 * 5, 16, operations=2, operands=2),
    )
    (once,) = vector(task, "add", np.array([4]), tokens=1, reductions=2).works
    assert once == VectorWork(4, 16, reductions=2)


def test_matrices_are_stored_with_the_scales_of_the_blocks_that_a_chip_reads() -> None:
    rows = (Range(np.array([0, 4]), np.array([4, 5])),)
    columns = (Range(np.array([0, 0]), np.array([32, 48])),)
    int4, mxfp4 = map(parse_weight_format, ("int4", "mxfp4"))
    plain = stored_matrices(MatrixParts(int4, rows, columns, 3))
    assert plain.bytes.tolist() == [3 * 4 * 32 // 2, 3 * 48 // 2]
    scaled = stored_matrices(MatrixParts(mxfp4, rows, columns, 3))
    # One and two blocks of 32 inputs for each output.
    assert (scaled.bytes - plain.bytes).tolist() == [3 * 4, 3 * 2]
    # Of several matrices the widest element decides the mode.
    both = stored_matrices(
        MatrixParts(mxfp4, rows, columns, 3), MatrixParts(int4, rows, columns)
    )
    assert both == StoredMatrices(both.element, both.bytes)
    assert both.element.bits == 4
    assert both.bytes.tolist() == (scaled.bytes + plain.bytes // 3).tolist()
