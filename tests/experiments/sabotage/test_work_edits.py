"""Edits of the work of operators: halves, and instructions that do other work."""

import numpy as np
import pytest

from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    Shape,
    VectorWork,
    Work,
)
from chip.program import OperatorKind, Program
from experiments.sabotage.work_edits import halved_work, with_shape, with_work
from specs.machine import load_machine

# Two matrices of 5 x 6 elements of half a byte, each a tile of a round in FP16 mode.
PRODUCT = ProductWork(
    shape=Shape((5,), (4, 2), 2),
    rows=3,
    stored_bytes=30,
    operand_bytes=2,
    input_bytes=10,
    output_bytes=20,
    ready_rounds=2,
    preloaded_rounds=1,
    preloaded_bytes=15,
)
MACHINE = load_machine()


def test_half_a_product_has_half_its_matrix_and_all_of_its_vectors() -> None:
    assert halved_work(PRODUCT) == PRODUCT._replace(
        shape=Shape((5,), (4, 2)), stored_bytes=15, preloaded_bytes=7
    )


@pytest.mark.parametrize(
    ("shape", "half"),
    [
        (Shape((5,), (4, 2), 3), Shape((5,), (4, 2))),
        # Of one matrix half of the columns, and of one column half of the rows.
        (Shape((5,), (4, 3)), Shape((5,), (3,))),
        (Shape((5, 2), (1,)), Shape((3,), (1,))),
    ],
)
def test_half_a_product_has_fewer_matrices_columns_or_rows(
    shape: Shape, half: Shape
) -> None:
    made = halved_work(PRODUCT._replace(shape=shape))
    assert isinstance(made, ProductWork)
    assert made.shape == half


def test_a_product_of_another_shape_reads_in_proportion() -> None:
    third = with_shape(PRODUCT, Shape((5,), (4,)))
    # A third of 60 elements: 20.
    assert third == PRODUCT._replace(
        shape=Shape((5,), (4,)), stored_bytes=10, preloaded_bytes=5
    )


def test_half_of_other_work_has_half_its_elements_or_bytes() -> None:
    vector = VectorWork(elements=7, element_bits=16, operands=3)
    assert halved_work(vector) == VectorWork(elements=3, element_bits=16, operands=3)
    # Rounds of padded tiles stay.
    assert halved_work(LoadWork(2, 40, 5)) == LoadWork(2, 40, 2)
    assert halved_work(LookupWork(11, readers=2)) == LookupWork(5, readers=2)


@pytest.mark.parametrize(
    "work",
    [
        PRODUCT._replace(shape=Shape((1,), (1,))),
        VectorWork(elements=1, element_bits=16),
        LoadWork(1, 40, 1),
        LookupWork(1),
    ],
)
def test_work_of_one_element_has_no_half(work: Work) -> None:
    assert halved_work(work) is None


def test_instructions_of_other_work_start_when_they_did_and_take_its_time(
    by_hand: Program,
) -> None:
    # As many elements as the lanes take in nine cycles.
    work = VectorWork(MACHINE.chip.lanes * 9, element_bits=16)
    made = with_work(by_hand, MACHINE, np.array([8]), work)
    assert made.kinds[:3] == by_hand.kinds
    assert isinstance(made.kinds[3], OperatorKind)
    assert made.kinds[3].work == work
    assert made.instructions.kind.tolist() == [-1, 0, 0, 1, *[-1] * 4, 3, -1, 2]
    before = by_hand.instructions
    assert made.instructions.start_cycle.tolist() == before.start_cycle.tolist()
    takes = made.instructions.duration_cycles.tolist()
    last = max(each.start_cycle + each.duration_cycles for each in made.kinds[3].steps)
    assert takes[8] == last >= 9
    assert takes[:8] + takes[9:] == before.duration_cycles[np.arange(11) != 8].tolist()


def test_reads_of_a_product_are_not_made_longer(by_hand: Program) -> None:
    made = with_work(by_hand, MACHINE, np.array([1, 2]), PRODUCT)
    # The READ took three cycles; the MATMUL takes as long as the product.
    read, multiplied = made.instructions.duration_cycles[[1, 2]].tolist()
    assert read == 3
    assert multiplied > 100
    assert made.instructions.kind[[1, 2]].tolist() == [3, 3]
