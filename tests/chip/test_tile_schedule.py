from typing import Any

import pytest

from chip.mxm_tiling import TileSets
from chip.operator_work import ProductWork, Shape
from chip.tile_schedule import Span, TileSchedule, one_stream, tile_schedule, tiles_of
from specs.machine import ChipSpec

PRODUCT = ProductWork(
    weights=400,
    stored_bytes=400,
    operand_bytes=1,
    batch=50,
    input_bytes=1000,
    output_bytes=1000,
    shape=Shape(inner=20, columns=20),
)
# Four tiles of 10 x 10, two at once.
TILES = TileSets(sets=2, fed_bytes=400, operand_bytes=40, sum_bytes=160)


def test_a_product_of_many_vectors_is_tiled(small_chip: ChipSpec) -> None:
    assert tiles_of(small_chip, PRODUCT) == TILES


@pytest.mark.parametrize(
    ("work", "chip"),
    [
        pytest.param({"shape": None}, {}, id="no shape"),
        pytest.param({"batch": 1}, {}, id="one vector"),
        pytest.param({"weights": 0}, {}, id="no weights"),
        pytest.param({}, {"matmul_fill_cycles": 17}, id="short pipeline"),
        pytest.param({}, {"mxm_buffer_bytes": 199}, id="small buffers"),
    ],
)
def test_a_matrix_streams_where_tiles_are_no_use(
    small_chip: ChipSpec, work: dict[str, Any], chip: dict[str, int]
) -> None:
    changed = small_chip.model_copy(update=chip)
    assert tiles_of(changed, PRODUCT._replace(**work)) is None


def test_the_second_set_loads_while_the_first_multiplies(small_chip: ChipSpec) -> None:
    # 10 cycles to load the first set, 50 rows for each.
    schedule = tile_schedule(small_chip, PRODUCT, TILES, length=109, part=5)
    assert schedule == TileSchedule(
        loads=(Span(0, 10, 200), Span(10, 50, 200)),
        installs=(Span(15, 5, 200), Span(65, 5, 200)),
        multiplies=(10, 60),
        multiply_cycles=50,
    )


def test_a_preloaded_set_multiplies_at_once(small_chip: ChipSpec) -> None:
    work = PRODUCT._replace(preloaded_bytes=200)
    schedule = tile_schedule(small_chip, work, TILES, length=99, part=5)
    assert schedule == TileSchedule(
        loads=(Span(0, 50, 200),),
        installs=(Span(5, 5, 200), Span(55, 5, 200)),
        multiplies=(0, 50),
        multiply_cycles=50,
    )


def test_a_stream_installs_what_was_preloaded_before_the_rest() -> None:
    work = PRODUCT._replace(preloaded_bytes=100, batch=1)
    assert one_stream(work, length=15, part=5, lag=3) == TileSchedule(
        loads=(Span(0, 15, 300),),
        installs=(Span(-5, 5, 100), Span(3, 15, 300)),
        multiplies=(0,),
        multiply_cycles=15,
    )
