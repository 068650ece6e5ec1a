"""Plans of the tiny model that several tests of the reports share."""

from pathlib import Path

import pytest

from compiler.search.pareto_front import ParetoFront
from experiments.plan_report.explanation import Explanation, explained
from experiments.plan_report.pareto import plan_front
from experiments.run.preparation import Prepared, compile_prepared, plan_scenario
from specs.scenario import Scenario


@pytest.fixture(scope="package")
def searched(tiny_config: Path) -> Prepared:
    """Return the best plan of the tiny model on eight chips."""
    return plan_scenario(
        Scenario(model=str(tiny_config), chips=8, strategy="auto", context=256)
    )


@pytest.fixture(scope="package")
def why(searched: Prepared) -> Explanation:
    return explained(searched, compile_prepared(searched))


@pytest.fixture(scope="package")
def front(searched: Prepared) -> ParetoFront:
    return plan_front(searched)
