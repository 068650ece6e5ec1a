"""Trace in Perfetto's protobuf format, with its own builder (the extra `trace`).

Times are whole nanoseconds: the start of a bar is rounded down. The details of each bar
have the picoseconds.
"""

import io
from typing import Any, final

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb
from perfetto.trace_builder.proto_builder import StreamingTraceProtoBuilder

from experiments.trace.trace import Trace
from specs.units import PS_PER_NS

# All packets are one sequence, in which a name is sent once and then referred to.
_SEQUENCE = 1
# First identifiers of nodes, groups, tracks and counters.
_NODES, _GROUPS, _LINES, _SLACKS = (1 + (kind << 32) for kind in range(4))


def perfetto_bytes(trace: Trace) -> bytes:
    """Return the trace as ``.pftrace`` bytes: a track for each slice and each link."""
    stream = io.BytesIO()
    writer = _Writer(stream)
    writer.tracks(trace)
    writer.bars(trace)
    writer.counters(trace)
    return stream.getvalue()


@final
class _Writer:
    """Writer of the packets of one sequence, with interned names."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._builder = StreamingTraceProtoBuilder(stream)
        self._known: dict[tuple[str, str], int] = {}
        packet = self._packet()
        packet.sequence_flags = pb.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        self._builder.write_packet(packet)

    def tracks(self, trace: Trace) -> None:
        """Write a descriptor for every group, track, and counter of a link."""
        nodes = dict.fromkeys(group.within for group in trace.groups.values())
        places = {name: rank + 1 for rank, name in enumerate(nodes) if name}
        root = max(trace.groups, default=0) + 1
        for name, rank in places.items():
            self._describe(_NODES + rank, name, rank=rank, parent=0)
        for number, group in trace.groups.items():
            parent = _NODES + places[group.within] if group.within else 0
            rank = number if parent else root
            self._describe(_GROUPS + number, group.name, rank=rank, parent=parent)
        for place, track in enumerate(trace.tracks):
            parent = _GROUPS + track.group
            self._describe(_LINES + place, track.name, rank=track.number, parent=parent)
        links = _GROUPS + max(trace.groups, default=0)
        for link in sorted({sample.link for sample in trace.samples}):
            name = f"slack of link {link}"
            self._describe(_SLACKS + link, name, rank=link, parent=links, unit="ps")

    def bars(self, trace: Trace) -> None:
        """Write the begin and the end event of each bar, with its arrows."""
        sent = {arrow.source: arrow.train for arrow in trace.arrows}
        received = {arrow.target: arrow.train for arrow in trace.arrows}
        for place, bar in enumerate(trace.bars):
            track = _LINES + bar.track
            begin = self._event(bar.start_ps, pb.TrackEvent.TYPE_SLICE_BEGIN, track)
            event = begin.track_event
            event.name_iid = self._number(begin, "event_names", bar.name)
            event.category_iids.append(
                self._number(begin, "event_categories", bar.category)
            )
            for name, value in bar.details.items():
                detail = event.debug_annotations.add()
                detail.name_iid = self._number(begin, "debug_annotation_names", name)
                detail.int_value = value
            if place in sent:
                event.flow_ids.append(sent[place])
            if place in received:
                event.terminating_flow_ids.append(received[place])
            self._builder.write_packet(begin)
            end_ps = bar.start_ps + bar.duration_ps
            end = self._event(end_ps, pb.TrackEvent.TYPE_SLICE_END, track)
            self._builder.write_packet(end)

    def counters(self, trace: Trace) -> None:
        """Write a counter event for each sample of slack."""
        for sample in trace.samples:
            track = _SLACKS + sample.link
            packet = self._event(sample.time_ps, pb.TrackEvent.TYPE_COUNTER, track)
            packet.track_event.counter_value = sample.slack_ps
            self._builder.write_packet(packet)

    def _packet(self) -> Any:
        """Return a new packet of the sequence."""
        packet = self._builder.create_packet()
        packet.trusted_packet_sequence_id = _SEQUENCE
        packet.sequence_flags = pb.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
        return packet

    def _describe(
        self, identity: int, name: str, *, rank: int, parent: int, unit: str = ""
    ) -> None:
        """Write the descriptor of a track; one with a unit is a counter."""
        packet = self._packet()
        track = packet.track_descriptor
        track.uuid = identity
        track.name = name
        track.sibling_order_rank = rank
        track.child_ordering = pb.TrackDescriptor.EXPLICIT
        if parent:
            track.parent_uuid = parent
        if unit:
            track.counter.unit_name = unit
        self._builder.write_packet(packet)

    def _event(self, time_ps: int, kind: int, track: int) -> Any:
        """Return the packet of an event on a track."""
        packet = self._packet()
        packet.timestamp = time_ps // PS_PER_NS
        packet.track_event.type = kind
        packet.track_event.track_uuid = track
        return packet

    def _number(self, packet: Any, table: str, name: str) -> int:
        """Return the number of a name; the first packet that uses it defines it."""
        key = (table, name)
        if key not in self._known:
            self._known[key] = len(self._known) + 1
            entry = getattr(packet.interned_data, table).add()
            entry.iid = self._known[key]
            entry.name = name
        return self._known[key]
