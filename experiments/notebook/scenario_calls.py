"""Calls for a notebook: keywords that say what options of the command line say."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import networkx as nx
import pandas as pd

from experiments.notebook.scenario_run import ScenarioRun
from experiments.run import preparation, scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.sweep.axes import read_axes
from experiments.sweep.executors import ExecutorFactory, local_executor
from experiments.sweep.grid import sweep_of
from experiments.sweep.result_store import ResultStore
from experiments.sweep.runner import run_sweep
from specs.scenario import Scenario
from topologies.io.networkx_graph import from_networkx
from topologies.topology import Topology

# What `topology` may be: what ``--topology`` takes, a topology, or a graph of cables.
Wiring: TypeAlias = "str | os.PathLike[str] | Topology | nx.Graph[Any] | None"


def run_scenario(*, topology: Wiring = None, **said: Any) -> ScenarioRun:
    """Return the run of a scenario that keywords say, as ``groqrack simulate`` runs it.

    Parameters
    ----------
    topology
        What ``--topology`` takes, a `Topology`, or a graph whose edges are cables. Of
        the last two the plan has all chips unless it is said otherwise.
    said
        The keys of a scenario: model, chips, strategy, tokens, context and so on;
        ``settings`` is a dictionary of what ``--set`` takes.

    Raises
    ------
    SpecError
        If a key or a value cannot be meant.
    RackError
        If the scenario does not fit; the message says the way out.
    """
    asked, wired = _asked(topology, said, "run_scenario")
    return ScenarioRun(scenario.run_scenario(asked, wired))


def plan_scenario(*, topology: Wiring = None, **said: Any) -> preparation.Prepared:
    """Return the plan of a scenario that keywords say, as ``groqrack plan`` finds it.

    Parameters and errors are those of `run_scenario`.
    """
    asked, wired = _asked(topology, said, "plan_scenario")
    return preparation.plan_scenario(asked, wired)


def sweep_scenarios(
    axes: Mapping[str, Any], *, jobs: int = 1, **said: Any
) -> pd.DataFrame:
    """Return a row for each point of a grid of scenarios, as ``groqrack sweep`` has it.

    Parameters
    ----------
    axes
        Values of each axis by its key, as in the table ``[sweep]`` of a sweep file.
    jobs
        Processes that share the points. A script that asks for more than one must
        call this below ``if __name__ == "__main__":``.
    said
        What all points share, the keywords of `run_scenario`.

    Returns
    -------
    DataFrame
        The swept keys, the numbers of the summary with dots, ``feasible`` and
        ``reason``.

    Raises
    ------
    SpecError
        If a key, an axis or a value cannot be meant. A point that does not fit is a
        row with its reason.
    """
    origin = "sweep_scenarios"
    listed = {
        name: list(values)
        if isinstance(values, Sequence) and not isinstance(values, str)
        else values
        for name, values in axes.items()
    }
    # One process is this one, so that a script needs no guard.
    executors = local_executor(jobs) if jobs > 1 else ExecutorFactory(_thread, 1)
    grid = sweep_of(_words(said), read_axes(listed, origin), origin)
    with ResultStore(None) as store:
        return pd.DataFrame(run_sweep(grid, store, executors, _silent))


def _asked(
    topology: Any, said: Mapping[str, Any], origin: str
) -> tuple[Scenario, Topology | None]:
    """Return the scenario that keywords of a notebook say, and its wiring if given."""
    content = _words(said)
    if topology is None:
        return scenario_of(content, origin), None
    if isinstance(topology, str | os.PathLike):
        return scenario_of({**content, "topology": os.fspath(topology)}, origin), None
    wired = (
        topology
        if isinstance(topology, Topology)
        else from_networkx(topology, name=topology.name or "graph")
    )
    content.setdefault("chips", wired.active_chips)
    return scenario_of(content, origin), wired


def _words(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a notebook with paths as text."""
    return {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in said.items()
    }


def _thread() -> ThreadPoolExecutor:
    """Return what runs the points of a notebook's sweep here, one after the other."""
    return ThreadPoolExecutor(1)


def _silent(done: int, before: int, refused: int) -> None:
    """Tell a notebook nothing of a sweep's progress."""
