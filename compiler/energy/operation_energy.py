"""Energy of operations: of an operator's slice instructions, and of a moved vector.

What is counted is what the program states: bytes and multiply-accumulates of the slice
instructions, and the operations of a vector operator. All that is read from SRAM, or
written to it, also takes a stream once; so does what the SXM permutes.
"""

from typing import NamedTuple

from chip.functional_units import SlicePort
from chip.operator_work import ProductWork, VectorWork
from chip.program import OperatorKind
from specs.link import LinkSpec
from specs.system import PowerSpec
from specs.units import BITS_PER_BYTE, J_PER_PJ


class OperationEnergy(NamedTuple):
    """Dynamic energy by the part of a chip that takes it, in J.

    Attributes
    ----------
    matrix, vector
        Of the matrix unit and of the vector unit.
    sram, stream
        Of bytes read from SRAM and written to it, and carried on streams.
    link
        Of bits sent, beyond what a link takes when it is idle.
    """

    matrix: float = 0.0
    vector: float = 0.0
    sram: float = 0.0
    stream: float = 0.0
    link: float = 0.0

    @property
    def total(self) -> float:
        """Return the energy of all parts, in J."""
        return sum(self)


def operator_energy(kind: OperatorKind, power: PowerSpec) -> OperationEnergy:
    """Return the dynamic energy of one execution of an operator on a chip."""
    moved = dict.fromkeys(SlicePort, 0)
    macs = 0
    for step in kind.steps:
        moved[step.port] += step.bytes
        macs += step.macs
    read, written = moved[SlicePort.MEM_READ], moved[SlicePort.MEM_WRITE]
    work = kind.work
    fp16 = isinstance(work, ProductWork) and work.operand_bytes > 1
    joules = power.operation_scale * J_PER_PJ
    return OperationEnergy(
        matrix=macs * (power.mac_fp16_pj if fp16 else power.mac_int8_pj) * joules,
        vector=_vector_operations(kind) * power.vector_operation_pj * joules,
        sram=_sram_pj(power, read, written) * joules,
        stream=_stream_pj(power, read + written + moved[SlicePort.SXM]) * joules,
    )


def vector_energy(
    power: PowerSpec, vector_bytes: int, *, read: bool
) -> OperationEnergy:
    """Return the dynamic energy of a vector between SRAM and a port.

    Parameters
    ----------
    power
        Energies of operations.
    vector_bytes
        Payload of the vector.
    read
        Whether it is read to be sent; else it was received and is written.
    """
    joules = power.operation_scale * J_PER_PJ
    amounts = (vector_bytes, 0) if read else (0, vector_bytes)
    return OperationEnergy(
        sram=_sram_pj(power, *amounts) * joules,
        stream=_stream_pj(power, vector_bytes) * joules,
    )


def wire_energy(power: PowerSpec, link: LinkSpec) -> OperationEnergy:
    """Return the dynamic energy of a vector on a link, both ends of it.

    It is none where ports send without pause: then it is part of their idle power.
    """
    bits = link.wire_bytes * BITS_PER_BYTE
    sent = 1 - power.port_idle_share
    return OperationEnergy(link=bits * power.port_pj_per_bit * sent * J_PER_PJ)


def _vector_operations(kind: OperatorKind) -> int:
    """Return the operations on elements that the vector unit of a chip does."""
    work = kind.work
    if isinstance(work, ProductWork):
        work = work.chain or VectorWork(0, 0)
    if not isinstance(work, VectorWork):
        return 0
    return work.passes * work.operations * work.elements


def _sram_pj(power: PowerSpec, read: int, written: int) -> float:
    """Return the energy of a chip's bytes read and written, in pJ before scaling."""
    return read * power.sram_read_pj_per_byte + written * power.sram_write_pj_per_byte


def _stream_pj(power: PowerSpec, moved_bytes: int) -> float:
    """Return the energy of a chip's bytes on streams, in pJ before scaling."""
    bits = moved_bytes * BITS_PER_BYTE
    return bits * power.wire_pj_per_bit_mm * power.stream_mm
