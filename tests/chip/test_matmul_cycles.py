import pytest

from chip.matmul_cycles import matmul_cycles, product_cycles, read_bytes_per_cycle
from specs.machine import ChipSpec


def test_matrix_and_vectors_take_two_slices_from_what_may_be_read(
    small_chip: ChipSpec,
) -> None:
    assert read_bytes_per_cycle(small_chip) == (44 - 2) * 10


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_a_chip_with_few_slices_reads_one_stream(
    small_chip: ChipSpec, slices: int
) -> None:
    few = small_chip.model_copy(update={"mem_slices": slices})
    assert read_bytes_per_cycle(few) == 10


def test_preloaded_weights_are_multiplied_but_not_fed(small_chip: ChipSpec) -> None:
    taken = [
        matmul_cycles(
            small_chip, weights=400, stored_bytes=400, batch=2, preloaded_bytes=size
        )
        for size in (0, 200, 400)
    ]
    # 400 B at 20 B a cycle, half of it, or 800 products at 200 a cycle.
    assert taken == [30 + 20, 30 + 10, 30 + 4]


def test_masked_products_take_no_time(small_chip: ChipSpec) -> None:
    taken = [
        matmul_cycles(
            small_chip, weights=400, stored_bytes=400, batch=20, masked_macs=masked
        )
        for masked in (0, 2000)
    ]
    assert taken == [30 + 40, 30 + 30]


def test_each_set_of_tiles_multiplies_every_row(small_chip: ChipSpec) -> None:
    taken = product_cycles(small_chip, rows=50, inner=20, columns=20, stored_bytes=400)
    # The first of two sets is loaded in 10 cycles; each takes 50 rows.
    assert taken == 30 + 10 + 2 * 50 - 1
