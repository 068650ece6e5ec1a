"""Serving: requests of many users on the timetable of a static pipeline.

A stage does one thing at a time and its program is fixed, so a request's whole future is
known when it is admitted: load shows as time in the queue, never as slower tokens.
"""
