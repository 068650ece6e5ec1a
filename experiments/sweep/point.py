"""One point of a sweep: its key, and the outcome of its run."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiments.report.run_summary import summary
from experiments.run.scenario import Programs, compile_programs, run_scenario
from experiments.run.scenario_inputs import machine_of
from experiments.run.version import VERSION
from specs.bit_errors import BitErrorSpec
from specs.checkpoint import INDEX_NAME
from specs.errors import RackError
from specs.machine import machine_names
from specs.model import model_names
from specs.onnx_names import split_sizes
from specs.scenario import FILE_SUFFIXES, Scenario
from workloads.graphs.workload import workload_names

# Numbers that differ between runs of the same program with the same seed.
_HOST_NUMBERS = ("run.wall_s", "run.peak_rss_bytes", "run.realtime_factor")
# Keys whose values are files only if they have the suffix of one.
_FILES_BY_SUFFIX = ("topology", "strategy")
# What a run draws or is run by; no program depends on it.
_RUN_KEYS = ("seed", "engine", "tokens")
_RUN_SETTINGS = tuple(f"link.{name}" for name in BitErrorSpec.model_fields)
# Blocks of the summary that repeat the scenario.
_INPUT_BLOCKS = ("schema", "inputs")


class PointChangedError(Exception):
    """A file of a point, or the program, has changed since the sweep began."""


def settled(scenario: Scenario) -> Scenario:
    """Return a sweep point's scenario with absolute paths, which any process finds."""
    places = {key: str(path.absolute()) for key, path in _files(scenario)}
    return scenario.model_copy(update=places)


def point_key(scenario: Scenario) -> str:
    """Return the key of a sweep point: the SHA-256 of all that its result depends on.

    That is the scenario, the content of its files and the last two parts of their paths
    (which give models their names), the content of the checkpoint's index beside a
    model, and the version of this program.
    """
    content: dict[str, Any] = {"version": VERSION, **scenario.model_dump(mode="json")}
    for key, path in _files(scenario):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        content[key] = {"name": "/".join(path.absolute().parts[-2:]), "sha256": digest}
        index = path.with_name(INDEX_NAME)
        if key == "model" and index.is_file():
            content["index"] = hashlib.sha256(index.read_bytes()).hexdigest()
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def run_point(document: str, key: str) -> str:
    """Return the outcome of a sweep point: its numbers, or the reason of its refusal.

    Arguments and result are text, since it runs in other processes and on other
    computers.

    Parameters
    ----------
    document
        The scenario as JSON.
    key
        The key of the point.

    Returns
    -------
    str
        JSON with ``feasible``, ``reason`` and ``numbers``: numbers of the summary by
        dotted name, without those that depend on the computer.

    Raises
    ------
    PointChangedError
        If the program or a file of the point is another one here.
    """
    scenario = Scenario.model_validate_json(document)
    if point_key(scenario) != key:
        raise PointChangedError(
            "this program or a file of the point has changed since the sweep began, or "
            "is another one where it ran"
        )
    try:
        programs = _programs_for(scenario)
        numbers = flat_numbers(summary(run_scenario(scenario, programs=programs)))
    except RackError as error:
        return json.dumps({"feasible": False, "reason": str(error), "numbers": {}})
    return json.dumps({"feasible": True, "reason": "", "numbers": numbers})


def of_any_run(scenario: Scenario) -> Scenario:
    """Return a sweep point's scenario as all those have it that share its programs.

    They may differ in what the hardware draws (seed, bit errors), in the engine, and,
    unless a prompt makes the context grow with them, in the number of tokens.
    """
    kept = {
        path: value
        for path, value in scenario.settings.items()
        if path not in _RUN_SETTINGS
    }
    fields = Scenario.model_fields
    run: dict[str, Any] = {
        key: fields[key].default
        for key in _RUN_KEYS
        if key != "tokens" or not scenario.prompt
    }
    return scenario.model_copy(update={**run, "settings": kept})


def _programs_for(scenario: Scenario) -> Programs:
    """Return the programs of a sweep point, on the machine that draws what it does.

    Raises
    ------
    RackError
        As `compile_programs`.
    """
    try:
        machine = machine_of(scenario)
    except RackError:
        # Another mistake of the scenario may come before that of the machine.
        return compile_programs(scenario)
    alike = of_any_run(scenario)
    programs = _programs(alike.model_dump_json(), point_key(alike))
    return programs._replace(prepared=replace(programs.prepared, machine=machine))


@lru_cache(maxsize=1)
def _programs(document: str, _key: str) -> Programs:
    """Return the programs of a sweep point; the latest are kept for other runs.

    The key tells apart what the files that the scenario names hold from time to time.
    """
    return compile_programs(Scenario.model_validate_json(document))


def flat_numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the single values of a sweep point's summary by dotted name, less inputs.

    >>> flat_numbers({"schema": "x", "run": {"seed": 1, "wall_s": 0.2}})
    {'run.seed': 1}
    """
    kept = {key: value for key, value in facts.items() if key not in _INPUT_BLOCKS}
    return {
        name: value
        for name, value in _leaves("", kept)
        if name not in _HOST_NUMBERS and not isinstance(value, list)
    }


def _leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values of the nested tables of a sweep point."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _files(scenario: Scenario) -> Iterator[tuple[str, Path]]:
    """Yield the existing files that a sweep point's scenario names, by key."""
    shipped = {
        "model": model_names(),
        "machine": machine_names(),
        "workload": workload_names(),
    }
    for key, suffixes in FILE_SUFFIXES.items():
        named = getattr(scenario, key)
        if named is None or named in shipped.get(key, ()):
            continue
        path = Path(split_sizes(str(named))[0])
        if key == "model" and path.is_dir():
            path /= "config.json"
        # A value such as tensor=8 or rack is no file, even if one has that name.
        no_file = key in _FILES_BY_SUFFIX and path.suffix.lower() not in suffixes
        if not no_file and path.is_file():
            yield key, path
