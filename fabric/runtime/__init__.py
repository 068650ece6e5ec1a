"""Segments of a run: one program on one set of chips, from start to end or failure.

hardware: AlignedChips, Hardware, Loaded
failing_over: FailedOver, fail_over
program_switch: Change, start_after
segment: Segment
segments: RunSegments
step_layout: StepLayout, lay_out
"""
