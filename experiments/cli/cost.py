"""Command ``groqrack cost``."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import AsJson, plain_console
from experiments.cli.scenario_options import (
    ScenarioOptions,
    parse_settings,
    takes_scenario,
)

if TYPE_CHECKING:
    from experiments.cost.cost_request import CostRequest

# Options that a traffic file has as keys.
_OF_TRAFFIC = ("model", "machine", "chips", "topology", "strategy", "context", "seed")
_RESULTS = "results.csv"


@takes_scenario(
    *("workload", "tokens", "prompt", "prefill_chunk", "context_bucket"),
    *("engine", "faults"),
)
def cost_command(
    options: ScenarioOptions,
    traffic: Annotated[
        Path | None,
        typer.Option(
            help="Traffic file whose load is costed.", show_default="a full pipeline"
        ),
    ] = None,
    request_rate: Annotated[
        float | None,
        typer.Option(
            "--request-rate",
            help="With --traffic: requests per second.",
            show_default="as in the file",
        ),
    ] = None,
    costs: Annotated[
        Path | None,
        typer.Option(
            help="TOML with prices and power.", show_default="the shipped ones"
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(help="Hardware of the prices.", show_default="of the machine"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"Folder of {_RESULTS}, a row for each point.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what tokens cost at a load, in money and energy, and what is not known.

    --set also takes prices and power, as in cost.facility.pue=1.2; KEY=A,B,C sweeps.
    """
    from experiments.cost.cost_report import cost_report
    from experiments.cost.cost_sweep import cost_points, cost_row, sweep_table
    from experiments.cost.costing import cost_document
    from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes
    from specs.errors import RackError

    request = _request(options, traffic, request_rate, costs)
    if out is not None:
        check_writable(out)
    points = list(cost_points(request, hardware))
    rows = [cost_row(swept, costed) for swept, costed in points]
    _, costed = points[0]
    if request.swept:
        if as_json:
            print(json.dumps(rows, indent=2))
        else:
            plain_console().print(sweep_table(rows, list(points[0][0])))
    elif isinstance(costed, RackError):
        raise costed
    elif as_json:
        print(json.dumps(cost_document(costed), indent=2))
    else:
        plain_console().print(cost_report(costed))
    if out is not None:
        import pandas as pd

        path = write_bytes(out / _RESULTS, csv_bytes(pd.DataFrame(rows)))
        if not as_json:
            print(f"\nwrote {path}")


def _request(
    options: ScenarioOptions,
    traffic: Path | None,
    request_rate: float | None,
    costs: Path | None,
) -> "CostRequest":
    """Return what the command is asked."""
    from experiments.cli.sweep import check_strategies
    from experiments.cost.cost_request import OF_COSTS, CostRequest
    from specs.cost import load_costs
    from specs.errors import SpecError

    fixed, swept = parse_settings(options.settings)
    check_strategies(swept.get("strategy", []))
    priced = {name: fixed.pop(name) for name in list(fixed) if name[:5] == OF_COSTS}
    prices = load_costs(costs).with_values(
        {name.removeprefix(OF_COSTS): each for name, each in priced.items()}
    )
    if traffic is not None:
        given: dict[str, Any] = {**options.given, **fixed}
        if request_rate is not None:
            given["traffic.rate_per_s"] = request_rate
        content, axes = _traffic_content(options, traffic, given)
        return CostRequest(content, True, prices, _axes(axes, swept), traffic)
    if request_rate is not None:
        raise SpecError(
            f"--request-rate {request_rate:g} is of traffic; name a traffic file with "
            f"--traffic"
        )
    content, axes = _scenario_content(options, fixed)
    return CostRequest(content, False, prices, _axes(axes, swept))


def _axes(
    of_file: dict[str, list[Any]], given: dict[str, list[str]]
) -> dict[str, list[Any]]:
    """Return the axes of a file and of the command line together."""
    from specs.errors import SpecError

    for name in given:
        if name in of_file:
            raise SpecError(f"--set {name}: the file sweeps it; leave one of them out")
    return {**of_file, **given}


def _traffic_content(
    options: ScenarioOptions, path: Path, given: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return a traffic file with what the command line says instead, and its axes."""
    from experiments.service.traffic_points import with_keys, without_sweep
    from serving.traffic_file import load_traffic_file
    from specs.errors import SpecError

    for name in options.given:
        if name not in _OF_TRAFFIC:
            option = name.replace("_", "-")
            raise SpecError(f"a traffic file has no --{option}; leave it out")
    if options.scenario_file is not None:
        raise SpecError(
            f"{options.scenario_file} is a scenario and {path} a traffic file; name "
            f"one of them"
        )
    content, axes = without_sweep(load_traffic_file(path), path, path.parent)
    return with_keys(content, given), axes


def _scenario_content(
    options: ScenarioOptions, fixed: dict[str, str]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return a scenario file with what the command line says instead, and its axes."""
    from experiments.service.traffic_points import without_sweep
    from specs.scenario import resolved_file_names, scenario
    from specs.validation import read_mapping

    path = options.scenario_file
    axes: dict[str, list[Any]] = {}
    base: dict[str, Any] = {}
    if path is not None:
        content = resolved_file_names(path.parent, read_mapping(path))
        content, axes = without_sweep(content, path, path.parent)
        base = scenario(content, str(path)).model_dump(exclude_unset=True)
    merged = {**base, **options.given}
    merged["settings"] = {**base.get("settings", {}), **fixed}
    return merged, axes
