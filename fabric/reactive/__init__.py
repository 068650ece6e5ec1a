"""Reactive baseline model: input-queued routers with arbitration and flow control.

deadlock: deadlock
network: ReactiveResult, simulate_reactive
output_port: OutputPort
router_spec: ReactiveSpec
traffic: Journeys, Messages, drawn_latency_ps, journeys, mean_latency_ps,
    uniform_messages
"""
