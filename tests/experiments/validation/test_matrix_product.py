"""Matrix products on one chip: their runs and their utilisation."""

from experiments.validation.matrix_product import product_run, utilisation


def test_twice_the_rows_use_the_chip_no_less() -> None:
    short, tall = product_run(320, 640, 640), product_run(640, 640, 640)
    assert short.schedule.latency_cycles < tall.schedule.latency_cycles
    assert 0 < utilisation(short) < utilisation(tall) < 1


def test_a_product_runs_alone_without_violations() -> None:
    run = product_run(320, 640, 160)
    assert run.violations == 0
    assert run.prepared.scenario.workload == "gemm:320x640x160:fp16"
    assert run.prepared.topology.active_chips == 1
