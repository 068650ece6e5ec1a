import pytest

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.slice_instructions import (
    Interval,
    instruction,
    sram_read,
    sram_write,
    stream_count,
)
from specs.chip import ChipSpec


@pytest.mark.parametrize(("size", "streams"), [(0, 0), (1, 1), (50, 1), (51, 2)])
def test_a_stream_carries_a_byte_of_each_lane_in_a_cycle(
    small_chip: ChipSpec, size: int, streams: int
) -> None:
    assert stream_count(small_chip, size, 5) == streams


def test_half_of_the_streams_go_east_and_an_odd_one_too() -> None:
    made = instruction(
        SlicePort.VXM, SliceOperation.CHAIN, Interval(3, 4), size=9, streams=5
    )
    assert made == SliceInstruction(
        port=SlicePort.VXM,
        step=SliceOperation.CHAIN,
        first=0,
        units=1,
        start_cycle=3,
        duration_cycles=4,
        east=3,
        west=2,
        bytes=9,
    )


def test_a_read_takes_a_slice_for_each_stream(small_chip: ChipSpec) -> None:
    read = sram_read(small_chip, 130, Interval(7, 5), first=2)
    assert read == SliceInstruction(
        port=SlicePort.MEM_READ,
        step=SliceOperation.READ,
        first=2,
        units=3,
        start_cycle=7,
        duration_cycles=5,
        east=2,
        west=1,
        bytes=130,
        bank=0,
    )


@pytest.mark.parametrize(("first", "starts_at"), [(41, 41), (42, 0)])
def test_a_write_goes_to_the_other_bank_of_slices_that_are_there(
    small_chip: ChipSpec, first: int, starts_at: int
) -> None:
    write = sram_write(small_chip, 130, Interval(7, 5), first=first)
    assert write == SliceInstruction(
        port=SlicePort.MEM_WRITE,
        step=SliceOperation.WRITE,
        first=starts_at,
        units=3,
        start_cycle=7,
        duration_cycles=5,
        bytes=130,
        bank=1,
    )
