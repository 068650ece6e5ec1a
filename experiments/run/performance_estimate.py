"""Estimate of a run as Groq's own tools report it: latency in s, and throughput."""

from typing import NamedTuple

from experiments.run.workload import prepare_workload
from specs.formats import Format
from specs.graph import Role, Tensor
from specs.host_link import HostSpec
from specs.scenario import Scenario
from specs.units import PS_PER_S

# The host link of that estimator: 10 us and 24 GB/s each way, which is slower than the
# link that machines here have.
ESTIMATOR_HOST = HostSpec(load_gb_per_s=24, request_latency_ns=10_000)


class PerformanceEstimate(NamedTuple):
    """Estimate of a run's performance, named as in Groq's tools.

    Attributes
    ----------
    latency
        Time of an inference, in s: inputs over the host link, cycles, outputs.
    throughput
        Inferences per second, one after another.
    latency_units, throughput_units
        Their units.
    cycles
        Cycles on the chips.
    input_bytes, output_bytes
        Bytes that cross the host link.
    """

    latency: float
    throughput: float
    latency_units: str
    throughput_units: str
    cycles: int
    input_bytes: int
    output_bytes: int


def estimate_performance(scenario: Scenario) -> PerformanceEstimate:
    """Return the estimated performance of a workload's run, compiled and verified.

    Groq's estimator multiplies the cycles of a stage by the chips of a pipeline; here
    the cycles are those of the whole schedule.

    Parameters
    ----------
    scenario
        What to run; it names a workload, which may be a network in ONNX.

    Raises
    ------
    RackError
        If the scenario cannot be meant or does not fit, or no schedule holds.
    """
    prepared = prepare_workload(scenario)
    plain = prepared.machine.formats.activations
    input_bytes, output_bytes = (
        sum(
            _bytes(each, plain)
            for each in prepared.workload.tensors
            if each.role is role
        )
        for role in (Role.INPUT, Role.OUTPUT)
    )
    cycles = prepared.schedule.latency_cycles
    host_ps = sum(map(ESTIMATOR_HOST.request_ps, (input_bytes, output_bytes)))
    latency_s = cycles / prepared.machine.chip.clock_hz + host_ps / PS_PER_S
    return PerformanceEstimate(
        latency=latency_s,
        throughput=1 / latency_s,
        latency_units="seconds",
        throughput_units="inferences per second",
        cycles=cycles,
        input_bytes=input_bytes,
        output_bytes=output_bytes,
    )


def _bytes(tensor: Tensor, plain: Format) -> int:
    """Return the bytes of a tensor of a run; without a format it is `plain`."""
    elements = tensor.matrices * tensor.rows * tensor.columns
    return (tensor.format or plain).bytes_of(elements)
