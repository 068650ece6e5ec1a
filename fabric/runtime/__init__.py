"""Segments of a run: one program on one set of chips, from start to end or failure.

program_switch: Change, start_after
segment: Segment
segments: RunSegments
step_layout: StepLayout, lay_out
"""
