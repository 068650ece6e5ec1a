"""Timetable: the fast engine, in which a request's future follows when it is admitted.

admission: WindowAdmission, SlotAdmission, Work, Placed
ticket: Ticket
promise: Promise, promised, cut_short
online: OnlineTimetable
machine_time: MachineTime
grid_replica: GridReplica
boundary_replica: BoundaryReplica
bulk: BulkReplicas, ready_cycles
engine: serve
"""
