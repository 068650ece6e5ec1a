"""Pareto front of latency, throughput and chips: as a table, as JSON, and as text."""

from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.text import Text

from compiler.search.dominance import Merits
from compiler.search.pareto_front import ParetoFront, pareto_front
from experiments.run.preparation import Prepared
from experiments.tables.atomic_write import csv_bytes, write_bytes
from experiments.tables.text_tables import named_table, titled
from sharding.parallelism.strategy import Strategy
from specs.units import US_PER_S

# The file of the front has the stem of the plan's file and this.
_SUFFIX = "_pareto"
# On the front; known to the cycle, but dominated; only bounded, not evaluated.
STATES = ("front", "beaten", "bound")
_NOTHING_LEFT = "no other strategy belongs to it."


def plan_front(prepared: Prepared) -> ParetoFront:
    """Return the Pareto front to report of a plan: all strategies on its machine."""
    # The front covers all strategies, so the task carries no split.
    plain = prepared.plan.task.split_as(Strategy(tensor=1, pipeline=1))
    return pareto_front(plain, prepared.topology)


def front_table(front: ParetoFront, *, hz: int, batch: int) -> pd.DataFrame:
    """Return the points of a plan's front, then the others: columns of `FRONT_COLUMNS`.

    Parameters
    ----------
    front
        The Pareto front.
    hz, batch
        Clock frequency of a chip, and tokens decoded together.
    """
    on_front = {(point.strategy, point.sequences) for point in front.points}
    others = [p for p in front.known if (p.strategy, p.sequences) not in on_front]
    return pd.DataFrame(
        {
            "strategy": str(point.strategy),
            "tensor": point.strategy.tensor,
            "pipeline": point.strategy.pipeline,
            "chips": point.merits.chips,
            "sequences": point.sequences,
            **_rates(point.merits, hz=hz, batch=batch),
            "state": state,
        }
        for state, points in zip(
            STATES, (front.points, others, front.open), strict=True
        )
        for point in points
    )


def front_block(prepared: Prepared, front: ParetoFront) -> dict[str, Any]:
    """Return the Pareto front in the report of a plan, as a block for JSON."""
    machine = {"hz": prepared.machine.chip.clock_hz, "batch": prepared.scenario.batch}
    return {
        "points": front_table(front, **machine).to_dict("records"),
        "on_front": len(front.points),
        "known": len(front.known),
        "open": len(front.open),
        "gap": front.gap,
        "at_best": {"chips": front.reach.chips, **_rates(front.reach, **machine)},
    }


def write_front(prepared: Prepared, front: ParetoFront, plan_file: Path) -> Path:
    """Write the points of a front as CSV beside the file of a plan; return the path.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    content = front_table(
        front, hz=prepared.machine.chip.clock_hz, batch=prepared.scenario.batch
    )
    path = plan_file.with_name(f"{plan_file.stem}{_SUFFIX}.csv")
    return write_bytes(path, csv_bytes(content))


def front_report(prepared: Prepared, front: ParetoFront) -> RenderableType:
    """Return the report on a plan's Pareto front: strategies that none dominates."""
    hz, batch = prepared.machine.chip.clock_hz, prepared.scenario.batch
    unit = "tokens" if prepared.makes_tokens else "passes"
    rows = []
    for point in front.points:
        rates = _rates(point.merits, hz=hz, batch=batch)
        rows.append(
            [
                f"{rates['latency_us']:,.1f}",
                f"{rates['tokens_per_s_all_users']:,.0f}",
                f"{point.merits.chips:,}",
                f"{point.sequences:,}",
                str(point.strategy),
            ]
        )
    headings = ["latency us", f"{unit}/s of all", "chips", "in flight", "strategy"]
    known = f"{len(front.points):,} of {len(front.known):,} points known to the cycle"
    rest = _open_points(front, hz, batch, unit) if front.open else _NOTHING_LEFT
    return titled(
        "Pareto front of latency, throughput and chips",
        named_table(headings, rows),
        Text(f"{known}; {rest}"),
    )


def _open_points(front: ParetoFront, hz: int, batch: int, unit: str) -> str:
    """Return the report on how far plans that were not evaluated may move a front."""
    reach = _rates(front.reach, hz=hz, batch=batch)
    return (
        f"{len(front.open):,} more may be on it and were not looked at. Each of them "
        f"has a point above that is worse by no more than {front.gap:.1%} in any "
        f"respect. At best they reach {reach['latency_us']:,.1f} us, "
        f"{reach['tokens_per_s_all_users']:,.0f} {unit}/s or {front.reach.chips:,} "
        f"chips."
    )


def _rates(merits: Merits, *, hz: int, batch: int) -> dict[str, float]:
    """Return latency and aggregate throughput to report, of merits in cycles."""
    return {
        "latency_us": merits.latency_cycles / hz * US_PER_S,
        "tokens_per_s_all_users": hz * batch / merits.share_cycles,
    }
