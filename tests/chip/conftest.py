"""A chip whose cycles can be counted in the head."""

import pytest

from specs.machine import ChipSpec, load_machine


@pytest.fixture(scope="session")
def small_chip() -> ChipSpec:
    """Return a chip that multiplies two tiles of 10 x 10 at once and feeds 20 B."""
    return load_machine().chip.model_copy(
        update={
            "lanes": 10,
            "mem_slices": 44,
            "mxm_planes": 4,
            "mxm_int8_macs_per_cycle": 200,
            "mxm_fp16_macs_per_cycle": 50,
            "mxm_buffer_bytes": 1000,
            "weight_feed_bytes_per_cycle": 20,
            "sram_bytes_per_cycle": 1000,
            "stream_bytes_per_cycle": 400,
            "vxm_alus": 4,
            "matmul_fill_cycles": 30,
            "vector_fill_cycles": 8,
            "operand_bytes": 1,
            "prefetch": True,
        }
    )
