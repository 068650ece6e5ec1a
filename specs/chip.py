"""Chip specification: a tensor streaming processor, with units."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from specs.validation import Spec

# Bytes of an operand in the wider mode of the matrix unit.
_FP16_BYTES = 2


class ChipSpec(Spec):
    """Tensor streaming processor (TSP); ``groqrack.toml`` gives each number's source.

    Parameters
    ----------
    clock_hz
        Nominal core clock, in Hz.
    mxm_fp16_macs_per_cycle, mxm_int8_macs_per_cycle
        Multiply-accumulates of the matrix unit per cycle, in its two modes.
    lanes, vxm_alus
        Elements of a vector instruction, and ALUs per lane that can be chained.
    sram_bytes, sram_bytes_per_cycle, stream_bytes_per_cycle
        Size of the memory, its bandwidth, and the bandwidth of all streams together.
    weight_feed_bytes_per_cycle
        Rate at which tiles, padded, are loaded into the matrix unit.
    round_overhead_cycles
        Cycles of a round of tiles beside its load and its rows.
    matmul_fill_cycles, vector_fill_cycles
        Pipeline fill of one matrix or vector operator.
    lane_step_cycles
        Latency of one of the steps, each a shift and a combination, in which the lanes
        of a vector are reduced to one.
    mxm_planes, mxm_buffer_bytes
        Planes of the matrix unit, and the size of their buffers beside the installed
        weights, which hold a round of tiles at least.
    mem_slices, sxm_slices
        Memory slices, and slices of the units that move data across lanes.
    prefetch
        Whether the first round of a product loads while the matrix unit is idle.
    overlap_load
        Whether a round of tiles loads while the round before it multiplies.
    operand_bytes
        Mode of the matrix unit: 1 for INT8, 2 for FP16. ``"auto"`` is the mode of the
        wider operand of each product; a number is a what-if for all of them.
    widening_operations
        Vector operations on each weight that is stored narrower than it is multiplied.
    send_cycles, receive_cycles
        Latency from SRAM to the wire, and from the receive FIFO to SRAM.
    sync_cycles
        Latency from SYNC until all queues run.
    instruction_bytes, program_reserve_bytes
        Size of one instruction, and SRAM reserved for the program text.
    ports
        Number of connected chip-to-chip ports.
    """

    # In Hz: 900 is a mistake for 900 MHz.
    clock_hz: int = Field(ge=10**6, le=3 * 10**9)
    mxm_fp16_macs_per_cycle: int = Field(gt=0)
    mxm_int8_macs_per_cycle: int = Field(gt=0)
    lanes: int = Field(gt=0)
    vxm_alus: int = Field(gt=0)
    sram_bytes: int = Field(gt=0)
    sram_bytes_per_cycle: int = Field(gt=0)
    stream_bytes_per_cycle: int = Field(gt=0)
    weight_feed_bytes_per_cycle: int = Field(gt=0)
    round_overhead_cycles: int = Field(ge=0)
    matmul_fill_cycles: int = Field(ge=0)
    vector_fill_cycles: int = Field(ge=0)
    lane_step_cycles: int = Field(ge=0)
    mxm_planes: int = Field(gt=0)
    mxm_buffer_bytes: int = Field(ge=0)
    mem_slices: int = Field(gt=0)
    sxm_slices: int = Field(gt=1)
    prefetch: bool
    overlap_load: bool
    operand_bytes: int | Literal["auto"] = Field(union_mode="left_to_right")
    widening_operations: int = Field(ge=0)
    send_cycles: int = Field(ge=0)
    receive_cycles: int = Field(ge=0)
    sync_cycles: int = Field(ge=0)
    instruction_bytes: int = Field(gt=0)
    program_reserve_bytes: int = Field(ge=0)
    ports: int = Field(gt=0)

    @model_validator(mode="after")
    def _memory_holds_more_than_the_program(self) -> Self:
        if self.sram_bytes <= self.program_reserve_bytes:
            raise ValueError(
                f"sram_bytes {self.sram_bytes} leaves nothing beside "
                f"program_reserve_bytes {self.program_reserve_bytes}"
            )
        return self

    @field_validator("operand_bytes")
    @classmethod
    def _mode_is_known(cls, mode: int | str) -> int | str:
        if mode not in (1, _FP16_BYTES, "auto"):
            raise ValueError(
                f"must be 'auto' (the wider operand), 1 (INT8 mode) or {_FP16_BYTES} "
                f"(FP16 mode)"
            )
        return mode

    @model_validator(mode="after")
    def _buffers_hold_a_round(self) -> Self:
        if self.mxm_buffer_bytes < self.round_bytes:
            raise ValueError(
                f"mxm_buffer_bytes {self.mxm_buffer_bytes} is less than a round of "
                f"tiles, {self.mxm_planes} x {self.lanes} x {self.lanes} = "
                f"{self.round_bytes} B"
            )
        return self

    @property
    def round_bytes(self) -> int:
        """Return the bytes of a round of tiles: one of a byte for each plane."""
        return self.mxm_planes * self.lanes * self.lanes
