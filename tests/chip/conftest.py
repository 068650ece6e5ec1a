"""A chip whose cycles can be counted in the head."""

import pytest

from specs.chip import ChipSpec
from specs.machine import load_machine


@pytest.fixture(scope="session")
def small_chip() -> ChipSpec:
    """Return a chip of four planes of 10 x 10 that feeds 20 B a cycle.

    A round of tiles, 400 B, loads in 20 cycles, installs in 3, and multiplies a row in
    one cycle, or in two in FP16 mode. The buffers hold two rounds.
    """
    return load_machine().chip.model_copy(
        update={
            "lanes": 10,
            "mem_slices": 44,
            "mxm_planes": 4,
            "mxm_int8_macs_per_cycle": 400,
            "mxm_fp16_macs_per_cycle": 100,
            "mxm_buffer_bytes": 1000,
            "weight_feed_bytes_per_cycle": 20,
            "round_overhead_cycles": 3,
            "sram_bytes_per_cycle": 1000,
            "stream_bytes_per_cycle": 400,
            "vxm_alus": 4,
            "matmul_fill_cycles": 30,
            "vector_fill_cycles": 8,
            "lane_step_cycles": 2,
            "operand_bytes": "auto",
            "prefetch": True,
            "overlap_load": False,
            "widening_operations": 0,
        }
    )
