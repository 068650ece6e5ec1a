"""Timetable: the fast engine, in which a request's future follows when it is admitted.

admission: WindowAdmission, SlotAdmission, Work, Placed
ticket: Ticket
online: OnlineTimetable
"""
