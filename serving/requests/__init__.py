"""Requests: what users ask for, drawn or read from a trace.

request_table: RequestTable, request_table, Outcome, Tier
arrivals: drawn_arrivals
lengths: LengthSpec, drawn_lengths
speculation: drawn_turns
traces: trace_rows, trace_table, TraceColumns, TraceRow
traffic_spec: TrafficSpec, traffic, Traffic, TurnLaw
"""
