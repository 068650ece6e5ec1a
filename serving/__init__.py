"""Serving: requests of many users on the timetable of a static pipeline.

A stage does one thing at a time and its program is fixed, so a request's whole future
is known when it is admitted: load shows as time in the queue, never as slower tokens.

cycle_time: CycleTime
service_times: ServiceTimes, TOKEN_BYTES
compiled_times: compile_service_times, ServiceCompiler, CompiledPass,
    bucket_contexts, cache_bytes_per_token, stage_pitch
frame: Frame, FrameTimes, Policy, frame_times
fleet: replicas, routers, limits and prefix caches
requests: what users ask for
timetable: the fast engine
events: the reference engine
continuous_batching: Batched, serve_batched
pairing: a machine and other devices that decode together, over a link
results: records and measures
traffic_file: TrafficFile, traffic_file, load_traffic_file
wire: bodies, answers, frames and errors as clients of OpenAI and Groq know them
endpoint: a server for those clients, with simulated times
client: those clients on an endpoint in the same process
"""
