"""Command ``groqrack traffic``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.cli.options import AsJson, Out, Seed, plain_console
from experiments.tables.status_line import progress_shown

_CLOSED = "inf"


def traffic_command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TRAFFIC.toml [ttft:200 ...]",
            help="Traffic file; objectives of --goodput may follow.",
        ),
    ],
    request_rate: Annotated[
        str | None,
        typer.Option(
            "--request-rate",
            help="Requests per second; inf for all at once.",
            show_default="as in the file",
        ),
    ] = None,
    burstiness: Annotated[
        float | None,
        typer.Option(
            help="Shape of the gamma arrivals; 1 is Poisson.",
            show_default="as in the file",
        ),
    ] = None,
    max_concurrency: Annotated[
        int | None,
        typer.Option(
            help="Requests that users have under way at a time.",
            show_default="as in the file",
        ),
    ] = None,
    num_prompts: Annotated[
        int | None,
        typer.Option(help="Number of requests.", show_default="as in the file"),
    ] = None,
    goodput: Annotated[
        list[str] | None,
        typer.Option(
            help="Objectives in ms: ttft:200 tpot:5 e2el:2000.",
            show_default="as in the file",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key of the file, as in frame.slots=8; KEY=A,B,C serves each.",
        ),
    ] = None,
    seed: Seed = None,
    engine: Annotated[
        str, typer.Option(help="timetable, or simpy, the reference.")
    ] = "timetable",
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Serve a stream of requests, and say what their users see."""
    from experiments.service.traffic_report import traffic_report
    from experiments.service.traffic_run import ENGINES, run_traffic, traffic_document
    from serving.traffic_file import load_traffic_file, traffic_file
    from specs.errors import SpecError, nearest

    path, *objectives = words
    if engine not in ENGINES:
        raise SpecError(f"engine {engine!r}; {nearest(engine, ENGINES)}")
    content = _with_options(
        load_traffic_file(path),
        {
            "rate_per_s": request_rate,
            "burstiness": burstiness,
            "max_concurrency": max_concurrency,
            "requests": num_prompts,
        },
    )
    if goodput or objectives:
        content["slo"] = _objectives([*(goodput or []), *objectives])
    if seed is not None:
        content["seed"] = seed
    content, axes = _with_settings(content, settings, path)
    if axes:
        _sweep(content, axes, path, engine, out, as_json=as_json)
        return
    file = traffic_file(content, path)
    if out is not None:
        from experiments.tables.atomic_write import check_writable

        check_writable(out)
    prepared = None
    with progress_shown():
        if file.frame is None:
            from experiments.service.frame_plan import best_frame

            plan = best_frame(file)
            file, prepared = plan.file, plan.prepared
        run = run_traffic(file, engine=engine, prepared=prepared)
    document = traffic_document(run)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        plain_console().print(traffic_report(run, document))
    if out is not None:
        from experiments.service.traffic_files import write_traffic

        written = write_traffic(run, document, out)
        if not as_json:
            print(f"\nfiles in {out}: {' '.join(each.name for each in written)}")


def _with_settings(
    content: dict[str, Any], settings: list[str] | None, path: str
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return a traffic file's content with settings, and the axes of its sweep."""
    from experiments.cli.scenario_options import parse_settings
    from experiments.service.traffic_points import with_keys, without_sweep
    from specs.errors import SpecError

    fixed, swept = parse_settings(settings)
    content, axes = without_sweep(content, path, Path(path).parent)
    for name in swept:
        if name in axes:
            raise SpecError(f"--set {name}: the file sweeps it; leave one of them out")
    return (with_keys(content, fixed) if fixed else content), {**axes, **swept}


def _sweep(
    content: dict[str, Any],
    axes: dict[str, list[Any]],
    path: str,
    engine: str,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Serve the requests of each point of a sweep, and print a row for each."""
    import pandas as pd

    from experiments.service.traffic_sweep import traffic_rows, traffic_table
    from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes

    if out is not None:
        check_writable(out)
    with progress_shown():
        rows = list(traffic_rows(content, axes, path, engine=engine))
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        plain_console().print(traffic_table(rows, list(axes)))
    if out is not None:
        written = write_bytes(out / "results.csv", csv_bytes(pd.DataFrame(rows)))
        if not as_json:
            print(f"\nwrote {written}")


def _with_options(content: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return a traffic file's content with what options say of its requests."""
    from specs.errors import SpecError

    given = {name: value for name, value in options.items() if value is not None}
    traffic = {**content.get("traffic", {}), **given}
    rate = given.get("rate_per_s")
    if rate is not None:
        if rate == _CLOSED:
            del traffic["rate_per_s"]
            traffic["arrivals"] = "closed"
            traffic.setdefault("max_concurrency", traffic.get("requests", 1000))
        else:
            try:
                traffic["rate_per_s"] = float(rate)
            except ValueError:
                raise SpecError(
                    f"--request-rate {rate!r} is no number; use requests per second, "
                    f"or inf"
                ) from None
            if traffic.get("arrivals", "closed") == "closed":
                traffic["arrivals"] = "gamma"
    if "burstiness" in given and traffic.get("arrivals", "poisson") == "poisson":
        traffic["arrivals"] = "gamma"
    return {**content, "traffic": traffic}


def _objectives(words: list[str]) -> dict[str, float]:
    """Return the objectives of --goodput by their keys."""
    from serving.results.slo import parse_slo

    parts = [part for word in words for part in word.replace(",", " ").split()]
    return dict(parse_slo(parts)._asdict())
