"""System of a machine: its default size and topology, and the power that it draws."""

from typing import Self

from pydantic import Field, model_validator

from specs.validation import Spec


class SystemSpec(Spec):
    """Default size and topology of a machine, which a scenario may override.

    Parameters
    ----------
    topology
        Topology, a name of :mod:`topologies.selection`.
    chips
        Number of chips in use.
    chips_per_rack
        Chips per rack.
    tensor
        Chips that share a layer: the size of a fully connected group.
    """

    topology: str
    chips: int = Field(ge=1)
    chips_per_rack: int = Field(ge=1)
    tensor: int = Field(ge=1)


class PowerSpec(Spec):
    """Power of a machine; an unpublished value is None and stays out of the results.

    Energies of operations are those of the process in which they were published;
    `operation_scale` brings all of them to the chip's own.

    Parameters
    ----------
    chip_average_w, chip_tdp_w
        Average power of a chip at full load, and its thermal design power, in W.
    operation_scale
        Energy of an operation in the chip's process, as a fraction of the energies
        below.
    mac_int8_pj, mac_fp16_pj
        Energy of a multiply-accumulate of the matrix unit in each of its modes, in pJ.
    vector_operation_pj
        Energy of an operation of the vector unit on one element, in pJ.
    sram_read_pj_per_byte, sram_write_pj_per_byte
        Energy of a byte that is read from SRAM or written to it, in pJ.
    wire_pj_per_bit_mm, stream_mm
        Energy of a bit on a wire of the chip, in pJ per mm, and the mean way of a bit
        on a stream, in mm.
    port_pj_per_bit
        Energy of both ends of a link per bit, in pJ; the power of a chip includes it.
    port_idle_share
        Share of it that a link takes whether or not vectors are on it.
    optical_end_w
        Power of one end of an active optical cable, in W, in addition to the chip's.
    """

    chip_average_w: float | None = Field(default=None, gt=0)
    chip_tdp_w: float | None = Field(default=None, gt=0)
    operation_scale: float = Field(gt=0)
    mac_int8_pj: float = Field(ge=0)
    mac_fp16_pj: float = Field(ge=0)
    vector_operation_pj: float = Field(ge=0)
    sram_read_pj_per_byte: float = Field(ge=0)
    sram_write_pj_per_byte: float = Field(ge=0)
    wire_pj_per_bit_mm: float = Field(ge=0)
    stream_mm: float = Field(ge=0)
    port_pj_per_bit: float = Field(ge=0)
    port_idle_share: float = Field(ge=0, le=1)
    optical_end_w: float = Field(ge=0)

    @model_validator(mode="after")
    def _full_load_can_be_cooled(self) -> Self:
        average, tdp = self.chip_average_w, self.chip_tdp_w
        if average is not None and tdp is not None and average > tdp:
            raise ValueError(
                f"chip_average_w {average:g} is more than chip_tdp_w {tdp:g}, for "
                f"which cooling is designed; lower it or raise chip_tdp_w"
            )
        return self
