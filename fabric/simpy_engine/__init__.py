"""SimPy engine: chips, links and protocols as processes and events.

hac_protocol: HacProtocol
link: Link
loader: load_steps
processor: Processor, ProcessorStep
start_alignment: Alignment
tracking_counter: MeasuredLink, TrackingCounter
"""
