"""Program emission: instruction and train columns from a timeline."""

from functools import partial
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.lowering import lower
from chip.operator_work import Work
from chip.program import (
    Instructions,
    Opcode,
    OperatorKind,
    Slice,
    Trains,
    instructions_of,
)
from compiler.ir.identity_map import IdentityMap
from compiler.ir.timeline import ComputeEntry, LoadEntry, Timeline, TransportEntry
from compiler.ir.transfers import Transport
from sharding.operators.operators import Unit
from specs.arrays import Ints
from specs.chip import ChipSpec
from topologies.topology import Topology

# Rows of an instruction block, in this order.
_COLUMNS = (
    "chip",
    "slice",
    "port",
    "opcode",
    "start_cycle",
    "duration_cycles",
    "train",
    "operator",
    "kind",
)
_START, _TRAIN, _OPERATOR = (
    _COLUMNS.index(name) for name in ("start_cycle", "train", "operator")
)


class Emitted(NamedTuple):
    """Columns of one emitted timeline.

    Attributes
    ----------
    instructions, trains
        Instructions of the chips, and trains on the links.
    kinds
        Slice instructions of each kind of operator.
    """

    instructions: Instructions
    trains: Trains
    kinds: tuple[OperatorKind, ...]


def emit(
    timeline: Timeline, topology: Topology, chip: ChipSpec, leader: int
) -> Emitted:
    """Emit the instructions and trains of a timeline, the intermediate representation.

    Parameters
    ----------
    timeline
        Entries with their start cycles.
    topology
        Ports and ends of the links.
    chip
        Chip for which operators are lowered.
    leader
        Chip that marks the start and end of the timeline.
    """
    kinds = _Kinds()
    blocks = [_marks(leader, timeline.token_cycles)]
    blocks += [_load_rows(entry, kinds) for entry in timeline.loads]
    links, previous = [], []
    templates: IdentityMap[Transport, tuple[Ints, Ints]] = IdentityMap()
    template_of = partial(_transport_rows, topology=topology)
    trains = 0
    for entry in timeline.entries:
        if isinstance(entry, ComputeEntry):
            blocks.append(_compute_rows(entry, kinds, chip.matmul_fill_cycles))
            continue
        transport = entry.transport
        instructions, columns = templates.of(transport, template_of)
        blocks.append(_placed(instructions, entry, trains))
        columns = columns.copy()
        columns[2:4] += entry.start_cycle
        links.append(columns)
        first_hop = transport.previous < 0
        previous.append(np.where(first_hop, -1, transport.previous + trains))
        trains += len(transport.link)
    rows = np.concatenate(blocks, axis=1)
    table = np.concatenate(links, axis=1) if links else np.zeros((4, 0), np.int64)
    before = np.concatenate(previous) if previous else np.zeros(0, np.int64)
    return Emitted(
        instructions_of(dict(zip(_COLUMNS, rows, strict=True))),
        Trains(
            link=table[0].astype(np.int32),
            vectors=table[1].astype(np.int32),
            wire_cycle=table[2],
            receive_cycle=table[3],
            previous=before.astype(np.int32),
        ),
        tuple(OperatorKind(work, lower(chip, work)) for work in kinds.works),
    )


@final
class _Kinds:
    """Numbering of distinct works, in the order of their first use."""

    def __init__(self) -> None:
        self._number: dict[Work, int] = {}
        self._known: IdentityMap[tuple[Work, ...], Ints] = IdentityMap()

    @property
    def works(self) -> list[Work]:
        """Return the distinct works by number."""
        return list(self._number)

    def of(self, works: tuple[Work, ...]) -> Ints:
        """Return the number of each work, shape ``(works,)``."""
        # Entries of equal layers share one tuple.
        return self._known.of(works, self._numbers)

    def _numbers(self, works: tuple[Work, ...]) -> Ints:
        number = self._number
        numbers = [number.setdefault(work, len(number)) for work in works]
        return np.array(numbers, dtype=np.int64)


def _block(rows: int, **columns: NDArray[np.integer] | int) -> Ints:
    """Return an instruction block, shape ``(columns, rows)``; -1 where not given."""
    block = np.full((len(_COLUMNS), rows), -1, dtype=np.int64)
    for name, values in columns.items():
        block[_COLUMNS.index(name)] = values
    return block


def _marks(leader: int, token_cycles: int) -> Ints:
    """Return the two MARK instructions, at the start and the end of the timeline."""
    cycles = np.array([0, token_cycles], dtype=np.int64)
    return _block(
        2,
        chip=leader,
        slice=Slice.ICU,
        opcode=Opcode.MARK,
        start_cycle=cycles,
        duration_cycles=0,
    )


def _compute_rows(entry: ComputeEntry, kinds: _Kinds, fill_cycles: int) -> Ints:
    """Return the instructions of a compute entry: each busy slice on each chip."""
    parts = {
        # The pipeline fills after the last weight has been read.
        Unit.MATMUL: (
            (Slice.MEM, Opcode.READ, entry.cycles - fill_cycles),
            (Slice.MXM, Opcode.MATMUL, entry.cycles),
        ),
        Unit.VECTOR: ((Slice.VXM, Opcode.VECTOR, entry.cycles),),
        Unit.LOOKUP: ((Slice.MEM, Opcode.READ, entry.cycles),),
    }
    blocks = [
        _block(
            len(entry.chips),
            chip=entry.chips,
            slice=unit,
            opcode=opcode,
            start_cycle=entry.start_cycle,
            duration_cycles=cycles,
            operator=entry.operator,
            kind=kinds.of(entry.works),
        )
        for unit, opcode, cycles in parts[entry.unit]
    ]
    return np.concatenate(blocks, axis=1)


def _load_rows(entry: LoadEntry, kinds: _Kinds) -> Ints:
    """Return the instructions that load weights ahead, one for each chip."""
    return _block(
        len(entry.chips),
        chip=entry.chips,
        slice=Slice.MEM,
        opcode=Opcode.LOAD,
        start_cycle=entry.start_cycle,
        duration_cycles=entry.cycles,
        operator=entry.operator,
        kind=kinds.of(entry.works),
    )


def _transport_rows(transport: Transport, topology: Topology) -> tuple[Ints, Ints]:
    """Return the instructions and train columns of a phase, cycles from its start."""
    link = transport.link
    number = np.arange(len(link), dtype=np.int64)
    first_hop = transport.previous < 0
    sends = _block(
        len(link),
        chip=topology.source[link],
        slice=Slice.C2C_OUT,
        port=topology.source_port[link],
        opcode=np.where(first_hop, Opcode.SEND, Opcode.FORWARD),
        start_cycle=transport.wire_cycle,
        duration_cycles=transport.serialisation_cycles,
        train=number,
    )
    receives = _block(
        len(link),
        chip=topology.target[link],
        slice=Slice.C2C_IN,
        port=topology.target_port[link],
        opcode=Opcode.RECEIVE,
        start_cycle=transport.receive_cycle,
        duration_cycles=transport.serialisation_cycles,
        train=number,
    )
    columns = np.array(
        [link, transport.vectors, transport.wire_cycle, transport.receive_cycle]
    )
    return np.concatenate([sends, receives], axis=1), columns


def _placed(rows: Ints, entry: TransportEntry, trains: int) -> Ints:
    """Return the instructions of a phase, shifted to its place in the timeline."""
    placed = rows.copy()
    placed[_START] += entry.start_cycle
    placed[_TRAIN] += trains
    placed[_OPERATOR] = entry.operator
    return placed
