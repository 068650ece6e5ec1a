"""Dataflow emission: what a program's instructions and messages do, as columns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import numpy as np

from chip.dataflow import Dataflow, Messages, Operations, Pass, Regions, Value
from compiler.ir.entry_dataflow import GraphScope, PhaseShare, Scope
from compiler.ir.identity_map import IdentityMap
from compiler.ir.messages import MessageTable
from compiler.ir.timeline import ComputeEntry, Timeline, TransportEntry
from sharding.operators.operands import Operand, Operation
from specs.arrays import Ints, row_order

_NO_ROWS = np.zeros((7, 0), dtype=np.int64)


def emit_dataflow(timeline: Timeline, passes: Sequence[Pass]) -> Dataflow | None:
    """Emit the dataflow of a timeline, None if its entries do not state theirs.

    Parameters
    ----------
    timeline
        Entries with their start cycles.
    passes
        Passes of the model, by their numbers in the scopes of entries.
    """
    if any(entry.dataflow is None for entry in timeline.entries):
        return None
    emission = _Emission()
    for entry in timeline.entries:
        if isinstance(entry, ComputeEntry):
            emission.compute(entry)
        else:
            emission.transport(entry)
    return emission.dataflow(passes)


class _OperandRows(NamedTuple):
    """Regions of several operands: owner, operand, the four edges and the array."""

    names: tuple[str, ...]
    rows: Ints


class _OperationRows(NamedTuple):
    """An operation with the members that execute it, and its regions by member."""

    operation: Operation
    members: Ints
    reads: _OperandRows
    writes: _OperandRows


class _Shared(NamedTuple):
    """Messages of a phase that is sent in pieces, where they are in the columns."""

    messages: MessageTable
    base: int
    table: Ints


@final
class _Emission:
    """Columns of a dataflow as they grow, entry by entry."""

    def __init__(self) -> None:
        self._values: dict[Value, int] = {}
        self._names: dict[str, int] = {}
        self._templates: IdentityMap[object, list[_OperationRows]] = IdentityMap()
        self._made: IdentityMap[
            Callable[[], tuple[Operation, ...]], tuple[Operation, ...]
        ] = IdentityMap()
        self._carried: IdentityMap[object, _OperandRows] = IdentityMap()
        self._operations: list[Ints] = []
        self._reads: list[Ints] = []
        self._writes: list[Ints] = []
        self._messages: list[Ints] = []
        self._sent: list[Ints] = []
        self._trains: list[Ints] = []
        self._shared: list[_Shared] = []
        self._operation_count = 0
        self._message_count = 0

    def compute(self, entry: ComputeEntry) -> None:
        """Add the operations of a compute entry."""
        flow = entry.dataflow
        assert flow is not None
        assert flow.operations is not None
        made = self._made.of(flow.operations, lambda operations: operations())
        for part in self._templates.of(made, lambda _: _operation_rows(made)):
            operation, members, reads, writes = part
            count = len(members)
            name = operation.name.replace("{layer}", str(flow.scope.layer))
            row = np.empty((5, count), dtype=np.int64)
            row[0] = entry.operator
            row[1] = flow.chips[members]
            row[2] = self._names.setdefault(name, len(self._names))
            row[3] = flow.scope.number
            row[4] = operation.function
            self._operations.append(row)
            base = self._operation_count
            self._reads.append(self._resolved(reads, flow.scope, base))
            self._writes.append(self._resolved(writes, flow.scope, base))
            self._operation_count += count

    def transport(self, entry: TransportEntry) -> None:
        """Add the messages of a transport entry, and what they carry."""
        flow = entry.dataflow
        assert flow is not None
        assert flow.carried is not None
        whole = flow.whole
        base = self._base_of(whole) if whole is not None else None
        if base is None:
            base = self._add_messages(entry, flow.carried, whole)
        message = entry.transport.message
        if whole is not None:
            message = whole.rows[message]
            sent = self._shared[-1].table[0]
            # A message begins with the first piece that has a share of it.
            sent[whole.rows] = np.where(
                sent[whole.rows] < 0, entry.operator, sent[whole.rows]
            )
        self._trains.append(message + base)

    def _base_of(self, whole: PhaseShare) -> int | None:
        """Return the first message of a phase of which a piece was sent, if any."""
        if self._shared and self._shared[-1].messages is whole.messages:
            return self._shared[-1].base
        return None

    def _add_messages(
        self,
        entry: TransportEntry,
        carried_of: Callable[[], tuple[Operand, ...]],
        whole: PhaseShare | None,
    ) -> int:
        """Add the messages of an entry's phase, and return the first one's number."""
        messages = entry.messages if whole is None else whole.messages
        assert messages is not None
        carried, base = carried_of(), self._message_count
        rows = self._carried.of(carried, lambda _: _operand_rows(carried, None))
        assert entry.dataflow is not None
        self._sent.append(self._resolved(rows, entry.dataflow.scope, base))
        table = np.empty((4, len(messages)), dtype=np.int64)
        table[0] = entry.operator if whole is None else -1
        table[1:] = messages.source, messages.target, messages.payload_bytes
        self._messages.append(table)
        self._message_count += len(messages)
        if whole is not None:
            self._shared.append(_Shared(messages, base, table))
        return base

    def _resolved(
        self, operands: _OperandRows, scope: Scope | GraphScope, base: int
    ) -> Ints:
        """Return regions with the numbers of their owners and values."""
        numbers = [
            self._values.setdefault(value, len(self._values))
            for value in map(scope.value, operands.names)
        ]
        rows = operands.rows.copy()
        rows[0] += base
        rows[1] = np.array(numbers, dtype=np.int64)[rows[1]]
        return rows

    def dataflow(self, passes: Sequence[Pass]) -> Dataflow:
        """Return all columns, sorted by operator and chip."""
        table = np.concatenate([np.zeros((5, 0), np.int64), *self._operations], axis=1)
        # Chained operations of an instruction stay in their order.
        order = row_order(table[0], table[1])
        table = table[:, order]
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        messages = np.concatenate([np.zeros((4, 0), np.int64), *self._messages], axis=1)
        trains = np.concatenate([np.zeros(0, np.int64), *self._trains])
        return Dataflow(
            values=tuple(self._values),
            names=tuple(self._names),
            passes=tuple(passes),
            operations=Operations(
                operator=table[0].astype(np.int32),
                chip=table[1].astype(np.int32),
                name=table[2].astype(np.int32),
                number=table[3].astype(np.int32),
                function=table[4].astype(np.int8),
            ),
            reads=_regions(self._reads, place),
            writes=_regions(self._writes, place),
            messages=Messages(
                operator=messages[0].astype(np.int32),
                source=messages[1].astype(np.int32),
                target=messages[2].astype(np.int32),
                payload_bytes=messages[3],
            ),
            carried=_regions(self._sent, None),
            train_message=trains.astype(np.int32),
        )


def _operation_rows(operations: tuple[Operation, ...]) -> list[_OperationRows]:
    """Return the operations of an entry with their regions, chained ones in order."""
    made = []
    for operation in operations:
        members = np.unique(np.concatenate([each.member for each in operation.writes]))
        reads = _operand_rows(operation.reads, members)
        writes = _operand_rows(operation.writes, members)
        made.append(_OperationRows(operation, members, reads, writes))
    return made


def _operand_rows(operands: tuple[Operand, ...], members: Ints | None) -> _OperandRows:
    """Return the regions of operands, owned by the place of their member in `members`.

    Regions of others are left out: a member that makes nothing executes nothing.
    Without `members` the owner is the member itself.
    """
    blocks = [_NO_ROWS]
    for number, each in enumerate(operands):
        block = np.empty((7, len(each.member)), dtype=np.int64)
        block[0] = each.member
        if members is not None:
            block[0] = np.searchsorted(members, each.member)
        block[1] = number
        block[2:6] = each[2:6]
        block[6] = np.arange(len(each.member)) if each.array is None else each.array
        if members is not None:
            block = block[:, np.isin(each.member, members)]
        blocks.append(block)
    names = tuple(each.value for each in operands)
    return _OperandRows(names, np.concatenate(blocks, axis=1))


def _regions(blocks: list[Ints], place: Ints | None) -> Regions:
    """Return regions sorted by their owners, which have moved to `place`."""
    rows = np.concatenate([_NO_ROWS, *blocks], axis=1)
    if place is not None:
        rows[0] = place[rows[0]]
    order = np.argsort(rows[0], kind="stable")
    columns = rows[:, order].astype(np.int32)
    owner, value, first, last, part_first, part_last, array = columns
    return Regions(
        owner=owner,
        value=value,
        first=first,
        last=last,
        part_first=part_first,
        part_last=part_last,
        array=array,
    )
