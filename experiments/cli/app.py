"""Commands simulate, plan and verify, and the entry point of ``groqrack``."""

import errno
import gc
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.collective import collective_command
from experiments.cli.compare import compare_command
from experiments.cli.cost import cost_command
from experiments.cli.execution.execute import execute_command
from experiments.cli.experiment import SCRIPT_ARGUMENTS, experiment_command
from experiments.cli.options import AsJson, Out, plain_console
from experiments.cli.reference import models_command, topology_command, validate_command
from experiments.cli.report import report_command
from experiments.cli.scenario_options import (
    ScenarioOptions,
    scenario_from,
    takes_scenario,
)
from experiments.cli.service.serve import serve_command
from experiments.cli.service.traffic import traffic_command
from experiments.cli.sweep import simulate_each, sweep_command
from experiments.cli.workload import workload_command

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_INPUT_ERROR = 2
# A refusal is read at a glance.
_LONGEST_MESSAGE = 900
_VIOLATED = 3
_INTERRUPTED = 130
# A full disk, a quota, a limit on the size of files.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Schedules and searches make many small objects and few cycles: with Python's
# thresholds its search for cycles of garbage takes a tenth of their time.
_GARBAGE_THRESHOLDS = (200_000, 30, 30)


def _show_version(asked: bool) -> None:
    """Print the version of the program, if it was asked for, and end."""
    if asked:
        from experiments.run.version import VERSION

        print(f"groqrack-fabric {VERSION}")
        raise typer.Exit


@app.callback()
def groqrack(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_show_version,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Shard a language model over a GroqRack, schedule it, and run it."""


@app.command("simulate")
@takes_scenario()
def simulate_command(
    options: ScenarioOptions,
    out: Out = None,
    as_json: AsJson = False,
    trace_chips: Annotated[
        str, typer.Option(help="Chips in the trace, FIRST-LAST.")
    ] = "0-31",
    trace_us: Annotated[
        str, typer.Option(help="Part of the token in the trace, FROM-TO in us.")
    ] = "0-inf",
) -> None:
    """Run tokens through a sharded model, or passes of any workload, cycle by cycle."""
    from experiments.trace.window import window_of

    window = window_of(trace_chips, trace_us)
    if simulate_each(options, out, as_json=as_json):
        return
    scenario = scenario_from(options)
    if out is not None:
        from experiments.tables.atomic_write import check_writable

        check_writable(out)
    from experiments.run.scenario import run_scenario
    from experiments.tables.status_line import progress_shown

    with progress_shown():
        run = run_scenario(scenario)
    from experiments.report.run_report import print_report
    from experiments.report.run_summary import summarise

    facts = summarise(run)
    if as_json:
        print(json.dumps(facts.document(), indent=2))
    else:
        print_report(run, facts, plain_console())
    if out is not None:
        from experiments.report.run_files import write_run

        written = write_run(run, facts, out, window)
        if not as_json:
            print(f"\nfiles in {out}: {' '.join(path.name for path in written)}")
    if run.violations or run.result.tokens_lost:
        raise typer.Exit(_VIOLATED)


@app.command("plan")
@takes_scenario(
    "workload",
    "tokens",
    "prompt",
    "prefill_chunk",
    "context_bucket",
    "seed",
    "engine",
    "faults",
)
def plan_command(
    options: ScenarioOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="File for the plan as CSV; the front is written beside it."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Explain the plan and what limits it.")
    ] = False,
    pareto: Annotated[
        bool,
        typer.Option(
            "--pareto", help="Show the front of latency, throughput and chips."
        ),
    ] = False,
    slo: Annotated[
        str | None,
        typer.Option(help="With --objective goodput: ttft=200ms,tpot=5ms."),
    ] = None,
    traffic: Annotated[
        Path | None,
        typer.Option(help="With --objective goodput: the traffic file."),
    ] = None,
    users: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --strategy auto: users to serve, by sequences, batch and "
            "replicas together.",
            show_default="one, or as --sequences and --batch say",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which chip holds which slice of the model, and whether it fits."""
    from experiments.cli.plan import PlanRequest, show_plan

    if options.objective == "goodput" or traffic is not None or slo is not None:
        from experiments.cli.service.frame_plan import show_frame_plan

        show_frame_plan(options, traffic, slo, out, as_json=as_json)
        return
    scenario = scenario_from(options)
    asked = PlanRequest(explain=explain, pareto=pareto, users=users)
    show_plan(scenario, out, asked, as_json=as_json)


@app.command("verify")
@takes_scenario(
    "tokens", "prompt", "prefill_chunk", "context_bucket", "seed", "engine", "faults"
)
def verify_command(
    options: ScenarioOptions,
    as_json: AsJson = False,
) -> None:
    """Prove that the schedule keeps every rule of the machine, or show where not."""
    from compiler.verify import verify
    from experiments.run.scenario import compiled
    from experiments.tables.status_line import progress_shown
    from sharding.planner.coverage import check_coverage
    from specs.progress import report_progress

    scenario = scenario_from(options)
    with progress_shown():
        prepared, schedule = compiled(scenario)
        report_progress("verifying", 0)
        covered = check_coverage(prepared.plan.slices)
        certificate = verify(
            schedule.program, prepared.topology, prepared.machine, plan=schedule.plan
        )
    checks = {"every weight is on exactly one chip": covered, **certificate.checks}
    if as_json:
        document = {"certificate": certificate.digest, "checks": checks}
        print(json.dumps(document, indent=2))
        return
    for rule, cases in checks.items():
        print(f"holds  {cases:>16,}  {rule}")
    print(f"certificate {certificate.digest}")


app.command("experiment", context_settings=SCRIPT_ARGUMENTS)(experiment_command)
for name, command in (
    ("models", models_command),
    ("topology", topology_command),
    ("validate", validate_command),
    ("collective", collective_command),
    ("traffic", traffic_command),
    ("cost", cost_command),
    ("compare", compare_command),
    ("report", report_command),
    ("execute", execute_command),
    ("serve", serve_command),
    ("sweep", sweep_command),
    ("workload", workload_command),
):
    app.command(name)(command)


def main() -> None:
    """Run the command line; turn our errors into one line and an exit code."""
    from specs.errors import RackError

    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    try:
        _run_app()
    except RackError as error:
        print(f"error: {_shortened(str(error))}", file=sys.stderr)
        sys.exit(_INPUT_ERROR)
    except BrokenPipeError:
        # The reader has seen enough, as `groqrack ... | head` does.
        _leave_unprinted()
        sys.exit(0)
    except MemoryError as error:
        asked = f" ({error})" if str(error) else ""
        print(
            f"error: this takes more memory than there is{asked}; ask for fewer "
            f"tokens, sequences, requests or chips",
            file=sys.stderr,
        )
        sys.exit(_INPUT_ERROR)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _leave_unprinted()
        print(f"error: cannot print the result: {error.strerror}", file=sys.stderr)
        sys.exit(_INPUT_ERROR)


def _run_app() -> None:
    """Run the command to its end, which is an exit or an error."""
    stdout = sys.stdout
    try:
        app(standalone_mode=True)
    except SystemExit as stop:
        # Typer makes this code of Ctrl-C, without a word.
        if stop.code == _INTERRUPTED:
            print("interrupted; no file is left half-written", file=sys.stderr)
        if sys.stdout is not stdout:
            # So Typer hides an output whose reader has gone, and exits with 1.
            raise BrokenPipeError from None
        # Python would do it after all is over, when nobody can be told.
        sys.stdout.flush()
        raise


def _shortened(message: str) -> str:
    """Return a message as one line, without its middle if an input makes it long."""
    # A value of the input may hold what a terminal obeys.
    message = "".join(
        letter if letter.isprintable() else repr(letter)[1:-1] for letter in message
    )
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    left_out = len(message) - 2 * half
    return f"{message[:half]} ... ({left_out:,} letters) ... {message[-half:]}"


def _leave_unprinted() -> None:
    """Send nowhere what is still to be printed, or Python tries again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
