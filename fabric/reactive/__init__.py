"""Reactive baseline model: input-queued routers with arbitration and flow control.

deadlock: deadlock
machine_latency: reactive_latency_ns, reactive_specs, unloaded_latency_ns
network: ReactiveResult, simulate_reactive
output_port: OutputPort
router_spec: ReactiveSpec
traffic: Journeys, Messages, all_to_all, drawn_latency_ps, journeys,
    mean_latency_ps, uniform_messages
"""
