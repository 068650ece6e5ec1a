"""Intermediate representation of a schedule, and its emission to a program.

messages: Message, MessageTable
transfers: CycleBreakdown, Transport, TransferModel, trainless
timeline: ComputeEntry, LoadEntry, TransportEntry, TimelineEntry, Timeline
schedule: PlannedSchedule, Schedule, WorkloadSchedule
entry_dataflow: EntryDataflow, Scope
program_emission: Emitted, emit
dataflow_emission: emit_dataflow
identity_map: IdentityMap
"""
