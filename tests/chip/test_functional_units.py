from chip.functional_units import Inventory, SlicePort, inventory
from specs.chip import ChipSpec


def test_a_chip_has_a_port_of_each_kind_for_each_slice_or_plane(
    small_chip: ChipSpec,
) -> None:
    assert inventory(small_chip) == Inventory(
        units={
            SlicePort.MEM_READ: 44,
            SlicePort.MEM_WRITE: 44,
            SlicePort.MXM_LOAD: 4,
            SlicePort.MXM_INSTALL: 4,
            SlicePort.MXM_MULTIPLY: 4,
            SlicePort.MXM_ACCUMULATE: 4,
            SlicePort.VXM: 1,
            SlicePort.SXM: small_chip.sxm_slices,
        },
        streams=400 // 10 // 2,
        stream_bytes=10,
        buffer_bytes=1000,
    )
