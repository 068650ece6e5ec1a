"""Command ``groqrack plan``: what it computes, prints and writes."""

import json
from pathlib import Path
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from experiments.cli.options import plain_console
from experiments.plan_report.explanation import explained, explanation_block
from experiments.plan_report.explanation_text import explanation_report
from experiments.plan_report.pareto import (
    front_block,
    front_report,
    plan_front,
    write_front,
)
from experiments.plan_report.plan_summary import plan_summary
from experiments.plan_report.plan_table import plan_report, write_plan
from experiments.run.preparation import compile_prepared, plan_scenario
from experiments.service.users_plan import (
    plan_for_users,
    users_document,
    users_report,
)
from experiments.tables.status_line import progress_shown
from sharding.planner.coverage import check_coverage
from specs.scenario import Scenario


class PlanRequest(NamedTuple):
    """What is asked of a plan beside the plan itself.

    Attributes
    ----------
    explain, pareto
        Whether to say why it is so, and what else there is.
    users
        Users that it is to serve, None for what the scenario says.
    """

    explain: bool = False
    pareto: bool = False
    users: int | None = None


def show_plan(
    scenario: Scenario, out: Path | None, asked: PlanRequest, *, as_json: bool
) -> None:
    """Run the command ``plan``: plan a scenario, print what is asked for, write it.

    Parameters
    ----------
    scenario
        What is to be planned.
    out
        File for the plan, None for none. The front lies beside it.
    asked
        What is asked beside it.
    as_json
        Whether to print JSON and nothing else.

    Raises
    ------
    RackError
        If there is no such plan, or a file cannot be written.
    """
    with progress_shown():
        shared = None
        if asked.users is not None:
            shared = plan_for_users(scenario, asked.users)
        prepared = shared.prepared if shared else plan_scenario(scenario)
        why = None
        if asked.explain:
            why = explained(prepared, compile_prepared(prepared))
        front = plan_front(prepared) if asked.pareto else None
    check_coverage(prepared.plan.slices)
    written = [] if out is None else [write_plan(prepared, out)]
    document = plan_summary(prepared)
    shown: list[RenderableType] = []
    if why is not None:
        document["explanation"] = explanation_block(why)
        shown.append(explanation_report(why))
    else:
        shown.append(plan_report(prepared))
    if shared is not None:
        document["users"] = users_document(shared)
        shown += [Text(), users_report(shared)]
    if front is not None:
        document["pareto"] = front_block(prepared, front)
        shown += [Text(), front_report(prepared, front)]
        if out is not None:
            written.append(write_front(prepared, front, out))
    if as_json:
        print(json.dumps(document, indent=2))
        return
    console = plain_console()
    for each in shown:
        console.print(each)
    if written:
        print("\nwrote " + " and ".join(map(str, written)))
