"""Command ``groqrack execute``."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.execution.execute_collective import execute_collective_command
from experiments.cli.options import AsJson, plain_console
from experiments.cli.scenario_options import (
    ScenarioOptions,
    scenario_from,
    takes_scenario,
)

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.execution.model_execution import Execution
    from specs.scenario import Scenario

_DIFFERS = 3
# Largest difference of logits, by the largest logit of a row, that rounding explains.
TOLERANCE = 1e-5
# Positions of an encoder's sequence unless something says how many.
_DEFAULT_POSITIONS = 16


@takes_scenario("objective", "context_bucket", "sequences", "engine", "faults")
def execute_command(
    options: ScenarioOptions,
    collective: Annotated[
        str | None,
        typer.Option(help="Compute a collective alone, as all-reduce, not a model."),
    ] = None,
    payload_bytes: Annotated[
        int | None, typer.Option("--bytes", help="Size of a collective's tensor.")
    ] = None,
    algorithm: Annotated[
        str, typer.Option(help="Algorithm of a collective, as for that command.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Compute a small model, workload or collective, and compare with a reference."""
    if collective is not None:
        agrees = execute_collective_command(
            options,
            collective,
            payload_bytes=payload_bytes,
            algorithm=algorithm,
            tolerance=TOLERANCE,
            as_json=as_json,
        )
        if not agrees:
            raise typer.Exit(_DIFFERS)
        return
    from experiments.execution.model_execution import check_executable, run_execution
    from experiments.run.preparation import plan_scenario
    from experiments.run.scenario_inputs import model_of

    scenario = scenario_from(options)
    if scenario.workload is not None:
        from experiments.cli.execution.execute_workload import execute_workload

        if not execute_workload(scenario, TOLERANCE, as_json=as_json):
            raise typer.Exit(_DIFFERS)
        return
    model = model_of(scenario)
    check_executable(model, scenario.chips)
    scenario = _with_context(scenario, encoder=model.structure.encoder)
    began = time.perf_counter()
    execution = run_execution(
        plan_scenario(scenario),
        tokens=scenario.tokens,
        prompt=scenario.prompt,
        prefill_chunk=scenario.prefill_chunk,
        seed=scenario.seed,
    )
    wall_s = time.perf_counter() - began
    if as_json:
        print(json.dumps(execution_summary(execution, wall_s), indent=2))
    else:
        plain_console().print(execution_report(execution, wall_s))
    if not execution.agrees(TOLERANCE):
        raise typer.Exit(_DIFFERS)


def _with_context(scenario: "Scenario", *, encoder: bool) -> "Scenario":
    """Return a scenario whose KV cache holds its tokens, if nothing else was asked.

    Raises
    ------
    SpecError
        If the context that was asked for does not hold the tokens.
    """
    from specs.errors import SpecError

    if "context" not in scenario.model_fields_set:
        positions = _DEFAULT_POSITIONS if encoder else scenario.tokens
        return scenario.model_copy(update={"context": positions})
    if not encoder and scenario.context < scenario.tokens:
        raise SpecError(
            f"context {scenario.context} does not hold {scenario.tokens} tokens; use "
            f"--context {scenario.tokens}, or leave it out"
        )
    return scenario


def execution_summary(execution: "Execution", wall_s: float) -> dict[str, Any]:
    """Return the JSON that ``groqrack execute`` prints.

    Parameters
    ----------
    execution
        The execution.
    wall_s
        Seconds that it took.
    """
    from experiments.run.version import VERSION

    plan = execution.prepared.plan
    return {
        "schema": "groqrack-fabric/execution/1",
        "model": execution.prepared.model.name,
        "topology": execution.prepared.topology.name,
        "strategy": str(plan.strategy),
        "tokens": execution.tokens.tolist(),
        "reference_tokens": execution.expected_tokens.tolist(),
        "largest_difference": execution.difference,
        "tolerance": TOLERANCE,
        "agrees": execution.agrees(TOLERANCE),
        "programs": execution.programs,
        "operations": execution.operations,
        "messages": execution.messages,
        "wall_s": wall_s,
        "version": VERSION,
    }


def execution_report(execution: "Execution", wall_s: float) -> "Table":
    """Return an execution as a table that a person reads in 80 columns.

    Parameters are those of `execution_summary`.
    """
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=18)
    table.add_column()
    prepared = execution.prepared
    table.add_row("model", f"{prepared.model.name}, random weights")
    table.add_row("chips", f"{prepared.topology.name}, {prepared.plan.strategy}")
    for number, tokens in enumerate(execution.tokens.tolist()):
        if tokens:
            table.add_row(f"sequence {number}", " ".join(map(str, tokens)))
    output = "logits" if prepared.makes_tokens else "pooled states"
    verdict = "agrees" if execution.agrees(TOLERANCE) else "DIFFERS"
    if execution.tokens.tolist() != execution.expected_tokens.tolist():
        verdict += "; the reference chooses other tokens"
    table.add_row(
        output,
        f"largest relative difference {execution.difference:.1e}, of "
        f"{TOLERANCE:.0e} allowed: {verdict}",
    )
    table.add_row(
        "executed",
        f"{execution.programs:,} programs, {execution.operations:,} operations, "
        f"{execution.messages:,} messages",
    )
    table.add_row("took", f"{wall_s:.3f} s")
    return table
