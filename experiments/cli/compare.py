"""Command ``groqrack compare``: a run beside what a load generator measured."""

import json
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.options import AsJson, plain_console


def compare_command(
    run: Annotated[
        Path, typer.Argument(help="summary.json, or what groqrack traffic --json says.")
    ],
    measured: Annotated[
        Path,
        typer.Argument(
            help="JSON of vllm bench serve, AIPerf, GuideLLM, or another run."
        ),
    ],
    benchmark: Annotated[
        int | None,
        typer.Option(help="Which benchmark of a GuideLLM file, the first is 1."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a run of traffic with what a load generator measured, by metric."""
    from experiments.calibration.comparison import compare, comparison_document
    from experiments.calibration.comparison_report import comparison_report
    from experiments.calibration.result_file import read_measured
    from specs.errors import SpecError

    files = [read_measured(each, benchmark) for each in (run, measured)]
    if benchmark is not None and all(each.tool != "GuideLLM" for each in files):
        raise SpecError(
            f"--benchmark {benchmark} chooses from a file of GuideLLM, and neither "
            f"file is one; leave it out"
        )
    comparison = compare(*files)
    if as_json:
        print(json.dumps(comparison_document(comparison), indent=2))
    else:
        plain_console().print(comparison_report(comparison))
