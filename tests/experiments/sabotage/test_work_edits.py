"""Edits of the work of operators: halves, and instructions that do other work."""

import numpy as np
import pytest

from chip.operator_work import LoadWork, LookupWork, ProductWork, VectorWork, Work
from chip.program import OperatorKind, Program
from experiments.sabotage.work_edits import halved_work, with_work
from specs.machine import load_machine

PRODUCT = ProductWork(
    weights=101,
    stored_bytes=51,
    operand_bytes=1,
    batch=3,
    input_bytes=10,
    output_bytes=20,
    ready_bytes=70,
    preloaded_bytes=33,
    masked_macs=9,
)
MACHINE = load_machine()


def test_half_a_product_has_half_its_matrix_and_all_of_its_vectors() -> None:
    assert halved_work(PRODUCT) == ProductWork(
        weights=50,
        stored_bytes=25,
        operand_bytes=1,
        batch=3,
        input_bytes=10,
        output_bytes=20,
        # No more than there are weights.
        ready_bytes=50,
        preloaded_bytes=16,
        masked_macs=4,
    )


def test_half_of_other_work_has_half_its_elements_or_bytes() -> None:
    vector = VectorWork(elements=7, element_bits=16, operands=3)
    assert halved_work(vector) == VectorWork(elements=3, element_bits=16, operands=3)
    assert halved_work(LoadWork(9, 5)) == LoadWork(4, 2)
    assert halved_work(LookupWork(11, readers=2)) == LookupWork(5, readers=2)


@pytest.mark.parametrize(
    "work",
    [
        PRODUCT._replace(weights=1),
        VectorWork(elements=1, element_bits=16),
        LoadWork(1, 1),
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
