"""One point of a sweep: what it is known by, and what running it gives."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from experiments.report.run_summary import summary
from experiments.run.scenario import run_scenario
from experiments.run.version import VERSION
from specs.checkpoint import INDEX_NAME
from specs.errors import RackError
from specs.machine import machine_names
from specs.model import model_names
from specs.scenario import FILE_SUFFIXES, Scenario
from specs.workload import workload_names

# What differs from run to run of the same program on the same seed.
_OF_THE_COMPUTER = ("run.wall_s", "run.peak_rss_bytes", "run.realtime_factor")
# Keys whose values are files only if they end like one.
_ALSO_WORDS = ("topology", "strategy")
# What was asked, which the swept values say already.
_ASKED = ("schema", "inputs")


class PointChangedError(Exception):
    """What a point names is not what it was when the sweep began."""


def settled(scenario: Scenario) -> Scenario:
    """Return a scenario that names its files from the root, for any process to find."""
    places = {key: str(path.absolute()) for key, path in _files(scenario)}
    return scenario.model_copy(update=places)


def point_key(scenario: Scenario) -> str:
    """Return what a point is known by: the SHA-256 of all that decides its result.

    That is the scenario, the content of the files that it names (where they lie does
    not matter, but the last two parts of the path do, since models are called by
    them), that of the checkpoint's index beside a model, and the version of this
    program.
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
    """Return the outcome of a point: its numbers, or why it was refused.

    This is what another process or computer is asked to do, so it takes and returns
    text.

    Parameters
    ----------
    document
        The scenario as JSON.
    key
        What the point is known by.

    Returns
    -------
    str
        JSON with ``feasible``, ``reason`` and ``numbers``: those of the summary by
        dotted name, less those of the computer that it ran on.

    Raises
    ------
    PointChangedError
        If the version of the program or a file is another one here.
    """
    scenario = Scenario.model_validate_json(document)
    if point_key(scenario) != key:
        raise PointChangedError(
            "this program or a file of the point has changed since the sweep began, or "
            "is another one where it ran"
        )
    try:
        numbers = flat_numbers(summary(run_scenario(scenario)))
    except RackError as error:
        return json.dumps({"feasible": False, "reason": str(error), "numbers": {}})
    return json.dumps({"feasible": True, "reason": "", "numbers": numbers})


def flat_numbers(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the single values of a summary by dotted name.

    >>> flat_numbers({"schema": "x", "run": {"seed": 1, "wall_s": 0.2}})
    {'run.seed': 1}
    """
    kept = {key: value for key, value in facts.items() if key not in _ASKED}
    return {
        name: value
        for name, value in _leaves("", kept)
        if name not in _OF_THE_COMPUTER and not isinstance(value, list)
    }


def _leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value


def _files(scenario: Scenario) -> Iterator[tuple[str, Path]]:
    """Yield the files that a scenario names and that are there, by key."""
    shipped = {
        "model": model_names(),
        "machine": machine_names(),
        "workload": workload_names(),
    }
    for key, suffixes in FILE_SUFFIXES.items():
        named = getattr(scenario, key)
        if named is None or named in shipped.get(key, ()):
            continue
        path = Path(named)
        if key == "model" and path.is_dir():
            path /= "config.json"
        # A word such as tensor=8 or rack is no file, even if one is called so.
        words = key in _ALSO_WORDS and path.suffix.lower() not in suffixes
        if not words and path.is_file():
            yield key, path
