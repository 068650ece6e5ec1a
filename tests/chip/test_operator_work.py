from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    Shape,
    VectorWork,
    Work,
    adding,
)

PRODUCT = ProductWork(
    shape=Shape((10,), (10,)),
    rows=3,
    stored_bytes=50,
    operand_bytes=2,
    input_bytes=30,
    output_bytes=60,
)


def sizes(work: Work) -> tuple[int, int, int, int]:
    return work.macs, work.read_bytes, work.written_bytes, work.result_bytes


def test_each_pass_of_a_vector_operator_reads_operands_and_writes_a_result() -> None:
    work = VectorWork(elements=10, element_bits=12, passes=3, operands=2)
    assert work.operand_bytes == 30
    assert sizes(work) == (0, 90, 45, 15)


def test_a_product_reads_matrix_and_vectors() -> None:
    assert PRODUCT.weights == 100
    assert sizes(PRODUCT) == (300, 50 + 30, 60, 60)


def test_all_parts_of_all_matrices_are_elements() -> None:
    # Two parts of the input, each meets four gates, in three matrices.
    assert Shape((5, 7), (2, 2, 2, 2), matrices=3).elements == 12 * 8 * 3


def test_a_preloaded_share_of_the_matrix_is_not_read_again() -> None:
    half = PRODUCT._replace(preloaded_rounds=1, preloaded_bytes=25)
    assert half.streamed_bytes == 25
    assert half.read_bytes == 25 + 30


def test_a_chain_on_results_reads_beside_them_and_writes_in_their_place() -> None:
    chained = PRODUCT._replace(chain=VectorWork(elements=20, element_bits=16))
    assert sizes(chained) == (300, 50 + 30 + 40, 40, 40)


def test_a_chain_of_two_passes_writes_twice_and_keeps_one_result() -> None:
    again = VectorWork(elements=20, element_bits=16, passes=2)
    assert sizes(PRODUCT._replace(chain=again)) == (300, 50 + 30 + 80, 80, 40)


def test_a_load_only_reads_and_a_lookup_copies() -> None:
    load = LoadWork(rounds=2, round_cycles=20, stored_bytes=4)
    assert sizes(load) == (0, 4, 0, 0)
    assert load.readers == 0
    assert sizes(LookupWork(stored_bytes=4)) == (0, 4, 4, 4)


def test_a_sum_has_an_operand_and_an_operation_for_each_summand() -> None:
    assert adding(10, 16, 3) == VectorWork(10, 16, operations=3, operands=3)
