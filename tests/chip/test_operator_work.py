from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    VectorWork,
    Work,
    adding,
)

PRODUCT = ProductWork(
    weights=100,
    stored_bytes=50,
    operand_bytes=2,
    batch=3,
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
    assert PRODUCT.fed_bytes == 200
    assert sizes(PRODUCT) == (300, 50 + 30, 60, 60)
    assert sizes(PRODUCT._replace(masked_macs=40)) == (260, 50 + 30, 60, 60)


def test_a_preloaded_share_of_the_matrix_is_not_read_again() -> None:
    half = PRODUCT._replace(preloaded_bytes=100)
    assert half.streamed_bytes == 25
    assert half.read_bytes == 25 + 30


def test_a_product_without_weights_streams_nothing() -> None:
    assert PRODUCT._replace(weights=0).streamed_bytes == 0


def test_a_chain_on_results_reads_beside_them_and_writes_in_their_place() -> None:
    chained = PRODUCT._replace(chain=VectorWork(elements=20, element_bits=16))
    assert sizes(chained) == (300, 50 + 30 + 40, 40, 40)


def test_a_load_only_reads_and_a_lookup_copies() -> None:
    assert sizes(LoadWork(fed_bytes=8, stored_bytes=4)) == (0, 4, 0, 0)
    assert LoadWork(fed_bytes=8, stored_bytes=4).readers == 0
    assert sizes(LookupWork(stored_bytes=4)) == (0, 4, 4, 4)


def test_a_sum_has_an_operand_and_an_operation_for_each_summand() -> None:
    assert adding(10, 16, 3) == VectorWork(10, 16, operations=3, operands=3)
