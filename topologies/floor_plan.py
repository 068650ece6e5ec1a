"""Floor plan: positions of racks in rows, and lengths of the cables between them."""

from dataclasses import replace

import numpy as np

from specs.arrays import Floats, Ints
from specs.floor import FloorSpec
from topologies.topology import Topology


def rack_positions_m(racks: int, floor: FloorSpec) -> Floats:
    """Return where the racks of a topology stand, along and across the rows, in m.

    Rows are filled one after the other. Every second one is filled backwards, so that
    racks with neighbouring numbers stand side by side.

    Parameters
    ----------
    racks
        Number of racks.
    floor
        Racks of a row, and distances.

    Returns
    -------
    Shape ``(racks, 2)``.

    Examples
    --------
    >>> from specs.machine import load_machine
    >>> floor = load_machine().floor.model_copy(update={"racks_per_row": 2})
    >>> rack_positions_m(3, floor).tolist()
    [[0.0, 0.0], [0.6, 0.0], [0.6, 2.4]]
    """
    row, place = np.divmod(np.arange(racks), floor.racks_per_row)
    backwards = floor.racks_per_row - 1 - place
    along = np.where(row % 2, backwards, place) * floor.rack_pitch_m
    positions: Floats = np.stack([along, row * floor.row_pitch_m], axis=1)
    return positions


def cable_lengths_m(source: Ints, target: Ints, floor: FloorSpec) -> Floats:
    """Return the length of a cable between each two racks of a topology, in m.

    Cables lie in trays along and across the rows.

    Parameters
    ----------
    source, target
        Numbers of different racks, shape ``(cables,)`` as the result.
    floor
        Racks of a row, and distances.
    """
    racks = int(max(source.max(initial=0), target.max(initial=0))) + 1
    positions = rack_positions_m(racks, floor)
    apart = np.abs(positions[source] - positions[target]).sum(axis=1)
    lengths: Floats = floor.drop_m + apart
    return lengths


def on_floor(topology: Topology, floor: FloorSpec) -> Topology:
    """Return a topology whose cables between racks have the lengths of a floor plan.

    Cables inside a rack keep theirs.
    """
    source = topology.rack[topology.source].astype(np.int64)
    target = topology.rack[topology.target].astype(np.int64)
    between = source != target
    if not between.any():
        return topology
    length_m = topology.length_m.copy()
    length_m[between] = cable_lengths_m(source[between], target[between], floor)
    return replace(topology, length_m=length_m)
