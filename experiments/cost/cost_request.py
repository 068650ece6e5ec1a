"""Cost request: what ``groqrack cost`` is asked, with the axes of a sweep over it."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from experiments.cost.costing import Loads, pipeline_loads, traffic_loads
from experiments.run.preparation import plan_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.service.frame_plan import best_frame
from experiments.service.served_model import with_slots
from experiments.service.traffic_points import steps, with_keys
from experiments.service.traffic_run import run_traffic
from experiments.sweep.axes import (
    MOST_POINTS,
    read_axes,
)
from experiments.sweep.grid import sweep_of
from serving.traffic_file import TrafficFile, traffic_file
from specs.cost import CostSpec
from specs.errors import SpecError
from specs.scenario import Scenario

OF_COSTS = "cost."


class CostPoint(NamedTuple):
    """Point of a cost sweep: its swept values, what is served, and its prices."""

    swept: dict[str, Any]
    content: TrafficFile | Scenario
    prices: CostSpec


class CostRequest(NamedTuple):
    """What is asked of a cost.

    Attributes
    ----------
    content
        Keys and values of a scenario, or of a traffic file.
    of_traffic
        Whether they are those of a traffic file.
    prices
        Prices and power.
    swept
        Values of each axis by its name; those of prices begin with ``cost.``.
    origin
        Name of the file, for messages.
    """

    content: Mapping[str, Any]
    of_traffic: bool
    prices: CostSpec
    swept: Mapping[str, list[Any]]
    origin: str | Path = "command line"

    def points(self) -> Iterator[CostPoint]:
        """Yield the points of the request; one without axes.

        Raises
        ------
        SpecError
            If an axis is unknown, a value cannot be meant, or there are too many.
        """
        total = math.prod(len(values) for values in self.swept.values())
        if total > MOST_POINTS:
            raise SpecError(
                f"--set: {total:,} points, a sweep holds {MOST_POINTS:,}; shorten an "
                f"axis"
            )
        own, of_costs = _divided(self.swept)
        for values, content in self._contents(own):
            for priced in steps(of_costs):
                prices = self.prices.with_values(
                    {name.removeprefix(OF_COSTS): each for name, each in priced.items()}
                )
                yield CostPoint({**values, **priced}, content, prices)

    def _contents(
        self, axes: Mapping[str, list[Any]]
    ) -> list[tuple[dict[str, Any], TrafficFile | Scenario]]:
        """Return what is served at each step of the axes that are no prices."""
        if self.of_traffic:
            return [
                (
                    values,
                    traffic_file(with_keys(self.content, values), str(self.origin)),
                )
                for values in steps(axes)
            ]
        if not axes:
            empty: dict[str, Any] = {}
            return [(empty, scenario_of(self.content, "command line"))]
        sweep = sweep_of(self.content, read_axes(axes, "--set"), "--set")
        return [(point.swept, point.scenario) for point in sweep.points]


def loads_of(content: TrafficFile | Scenario) -> Loads:
    """Return the loads of a traffic file, or of the full pipeline of a scenario.

    Raises
    ------
    RackError
        If it cannot be meant, does not fit, or no schedule holds.
    """
    if isinstance(content, Scenario):
        if content.workload is not None:
            raise SpecError(
                f"workload {content.workload} makes no tokens; name a model instead"
            )
        if "sequences" in content.model_fields_set:
            return pipeline_loads(plan_scenario(content))
        return pipeline_loads(with_slots(content))
    if content.frame is None:
        plan = best_frame(content)
        return traffic_loads(run_traffic(plan.file, prepared=plan.prepared))
    return traffic_loads(run_traffic(content))


def _divided(
    swept: Mapping[str, list[Any]],
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Return the axes of what is served, and those of prices."""
    own = {
        name: values for name, values in swept.items() if not name.startswith(OF_COSTS)
    }
    return own, {name: each for name, each in swept.items() if name not in own}
