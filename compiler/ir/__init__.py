"""Intermediate representation of a schedule, and its emission to a program.

messages: Message, MessageTable
transfers: CycleBreakdown, Transport, TransferModel, trainless
timeline: ComputeEntry, LoadEntry, TransportEntry, TimelineEntry, Timeline
schedule: PlannedSchedule, Schedule, WorkloadSchedule
program_emission: Emitted, emit
identity_map: IdentityMap
"""
