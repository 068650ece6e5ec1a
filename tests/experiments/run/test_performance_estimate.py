import pytest

from experiments.run.performance_estimate import ESTIMATOR_HOST, estimate_performance
from experiments.run.workload import prepare_workload
from specs.errors import SpecError
from specs.scenario import Scenario


def test_an_estimate_is_cycles_and_the_way_in_and_out() -> None:
    scenario = Scenario(workload="gemm:64x320x640", chips=1, strategy="column=1")
    found = estimate_performance(scenario)
    cycles = prepare_workload(scenario).schedule.latency_cycles
    # FP16: 64 x 320 numbers in, 64 x 640 out, at 24 GB/s and 10 us each.
    assert (found.input_bytes, found.output_bytes) == (40_960, 81_920)
    crossing_s = 2 * 10e-6 + (40_960 + 81_920) / 24e9
    assert found.latency == pytest.approx(cycles / 900e6 + crossing_s, rel=1e-9)
    assert found.throughput == pytest.approx(1 / found.latency)
    assert found.latency_units == "seconds"
    assert ESTIMATOR_HOST.load_gb_per_s == 24


def test_an_estimate_of_what_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="no workload"):
        estimate_performance(Scenario(workload="gem:1x1x1", chips=1, strategy="auto"))
