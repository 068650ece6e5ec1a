from dataclasses import replace

import pytest
from rich.console import Console

from experiments.report.run_report import run_report
from experiments.report.run_summary import summarise
from experiments.run.scenario import run_scenario
from specs.scenario import Scenario


@pytest.mark.parametrize("over", [True, False])
def test_a_chip_above_its_tdp_is_said_to_be(over: bool) -> None:
    run = run_scenario(Scenario(workload="gemm:64x320x320", tokens=1, engine="replay"))
    facts = summarise(run)
    facts = replace(facts, energy=replace(facts.energy, over_tdp=over))
    console = Console(width=80)
    with console.capture() as shown:
        console.print(run_report(run, facts))
    lines = shown.get().splitlines()
    assert any(line.startswith("power of a chip") for line in lines)
    assert any("above TDP" in line for line in lines) == over
