"""Command ``groqrack plan --objective goodput``: the frame that serves the most."""

import json
from pathlib import Path

from experiments.cli.options import plain_console
from experiments.cli.scenario_options import ScenarioOptions, parse_settings
from specs.errors import SpecError

# Options of a plan that a traffic file has as keys.
_TAKEN = ("model", "machine", "chips", "topology", "strategy", "context", "seed")


def show_frame_plan(
    options: ScenarioOptions,
    traffic: Path | None,
    slo: str | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Search the frame of a traffic file, print it, and write all that were tried.

    Parameters
    ----------
    options
        What replaces keys of the traffic file.
    traffic
        The traffic file.
    slo
        Objectives as ``ttft=200ms,tpot=5ms``, None for those of the file.
    out
        File for the frames that were tried, None for none.
    as_json
        Whether to print JSON and nothing else.

    Raises
    ------
    RackError
        If an option does not apply, or no frame can be compiled.
    """
    from experiments.service.frame_plan import (
        best_frame,
        frame_plan_document,
        frame_plan_report,
        frame_table,
    )
    from experiments.tables.atomic_write import csv_bytes, write_bytes
    from serving.results.slo import parse_slo
    from serving.traffic_file import load_traffic_file, traffic_file

    if traffic is None:
        raise SpecError(
            "goodput is of requests: name them with --traffic FILE, as in groqrack "
            "plan --objective goodput --traffic traffic.toml"
        )
    given = {**options.given}
    if given.pop("objective", "goodput") != "goodput":
        raise SpecError(
            "--traffic and --slo are of --objective goodput; leave the others out"
        )
    for name in given:
        if name not in _TAKEN:
            option = name.replace("_", "-")
            raise SpecError(f"a frame has no --{option}; leave it out")
    settings, _ = parse_settings(options.settings)
    content = {**load_traffic_file(traffic), **given}
    if settings:
        content["settings"] = {**content.get("settings", {}), **settings}
    if slo is not None:
        content["slo"] = parse_slo(slo.replace(",", " ").split())._asdict()
    plan = best_frame(traffic_file(content, str(traffic)))
    if as_json:
        print(json.dumps(frame_plan_document(plan), indent=2))
    else:
        plain_console().print(frame_plan_report(plan))
    if out is not None:
        path = write_bytes(out, csv_bytes(frame_table(plan)))
        if not as_json:
            print(f"\nwrote {path}")
