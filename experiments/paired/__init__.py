"""Paired: the four ways to decode on a machine and devices, and what each gives.

case: Case, Traffic, Point, TRAFFIC
machine_alone: MachineAlone, compile_alone; decoding and prompts on the machine
fluid: alone, prefilled, devices_alone, devices_hold, first_tokens; where prompts share
    time with decoding
overlapped: attention_point, draft_point, break_even_latency_us; lanes that take turns
figure: pairing_figure
"""
