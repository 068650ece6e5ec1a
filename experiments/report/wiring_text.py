"""Words on a topology of one's own: how its chips are numbered, grouped and placed."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.run.scenario import Run

_FILES = {".csv", ".graphml"}


def wiring_text(run: Run) -> str | None:
    """Return what a report says of a topology from a file, None of a named one.

    Nodes and racks follow from the levels of its cables, and a plan takes chips by
    their numbers unless its placement says otherwise: both decide what an exchange
    costs.
    """
    scenario, topology = run.prepared.scenario, run.prepared.topology
    file = Path(str(scenario.topology))
    if file.suffix.lower() not in _FILES:
        return None
    nodes, racks = len(np.unique(topology.node)), len(np.unique(topology.rack))
    order = (
        "taken in that order"
        if scenario.placement == "naive"
        else f"placed by --placement {scenario.placement}"
    )
    text = (
        f"chips numbered as in {file.name}, {order}; its levels make "
        f"{_counted(nodes, 'node')} in {_counted(racks, 'rack')}"
    )
    extra = parallel_links(topology.source, topology.target)
    if extra.any():
        used = np.zeros(len(topology.source), dtype=bool)
        carried = run.result.links
        used[carried.link[carried.vectors > 0]] = True
        # A cable is two directed links; either makes it used.
        cables, busy = extra[::2], (extra & used).reshape(-1, 2).any(axis=1)
        text += (
            f"; {_counted(int(cables.sum()), 'parallel cable')}, "
            f"{int(busy.sum()):,} of them used"
        )
    return text


def parallel_links(
    source: NDArray[np.int32], target: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Return which directed links of a topology to report as further parallel ones.

    Parameters
    ----------
    source, target
        Chips of each directed link, shape ``(links,)``; links 2k and 2k + 1 are a
        cable.

    Returns
    -------
    ndarray of bool
        True for both links of a cable whose chips an earlier cable joins, too.
    """
    ends = np.sort(np.stack([source[::2], target[::2]], axis=1), axis=1)
    first = np.unique(ends, axis=0, return_index=True)[1]
    further = np.ones(len(ends), dtype=bool)
    further[first] = False
    return np.repeat(further, 2)


def _counted(count: int, noun: str) -> str:
    """Return a count with its noun for a report."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
