"""Topology files: lists of links as CSV and graphs as GraphML, read and written."""

import csv
import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

from specs.errors import TopologyError, nearest
from specs.input_files import read_text
from topologies.io.edge_list import (
    DEFAULT_LENGTH_M,
    CableTable,
    length_in_m,
    level_named,
    table_topology,
    whole_number,
)
from topologies.io.networkx_graph import from_networkx
from topologies.topology import Level, Topology
from topologies.validation import PORTS_PER_CHIP

COLUMNS = ("source", "target", "source_port", "target_port", "level", "length_m")
SUFFIXES = (".csv", ".graphml")

_REQUIRED = COLUMNS[:2]
_ENCODING = re.compile(r"(?<=[\"'])\s+encoding=[\"'][^\"']*[\"']")


def read_topology(path: Path, *, ports_per_chip: int = PORTS_PER_CHIP) -> Topology:
    """Return the topology in a ``.csv`` or ``.graphml`` file, named by its stem.

    Raises
    ------
    SpecError
        If the file cannot be read.
    TopologyError
        If it does not describe a topology. The message names the file, and if possible
        the row and the chip.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise TopologyError(
            f"{path}: a topology file ends in .csv or .graphml, not {path.suffix!r}"
        )
    read = _read_csv if path.suffix.lower() == ".csv" else _read_graphml
    return read(path, ports_per_chip=ports_per_chip)


def csv_text(topology: Topology) -> str:
    """Return the topology as CSV: a header and one row per cable, in cable order."""
    file = io.StringIO()
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows(
        zip(
            topology.source[::2].tolist(),
            topology.target[::2].tolist(),
            topology.source_port[::2].tolist(),
            topology.target_port[::2].tolist(),
            [Level(level).label for level in topology.level[::2].tolist()],
            topology.length_m[::2].tolist(),
            strict=True,
        )
    )
    return file.getvalue()


def _read_csv(path: Path, *, ports_per_chip: int = PORTS_PER_CHIP) -> Topology:
    """Return the topology of a list of links, one row per cable.

    Columns ``source`` and ``target`` hold chip numbers from 0. ``source_port``,
    ``target_port``, ``level`` and ``length_m`` may be missing or empty; they default to
    the chip's lowest free port, ``local`` and 1 m.

    Raises
    ------
    TopologyError
        If the list is no topology. The message names the file, the row as an editor
        numbers it, and the chip.
    """
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    try:
        _check_header(path, reader.fieldnames or [])
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise TopologyError(f"{path}: row {reader.line_num}: {error}") from None
    if not rows:
        raise TopologyError(f"{path}: no links; write at least one row")

    table = CableTable.blank(len(rows))
    row_of_port: dict[tuple[int, int], int] = {}
    for cable, (number, row) in enumerate(rows):
        where = f"{path}: row {number}"
        if None in row:
            raise TopologyError(f"{where}: more values than the header has columns")
        for end, name in enumerate(_REQUIRED):
            chip = _chip(row.get(name), len(rows), name, where)
            table.ends[cable, end] = chip
            if row.get(f"{name}_port"):
                port = whole_number(row[f"{name}_port"], f"{name}_port", where)
                table.ports[cable, end] = port
                other = row_of_port.setdefault((chip, port), number)
                if other != number:
                    raise TopologyError(
                        f"{where}: chip {chip} port {port} is used in row {other} too; "
                        "leave the port empty to have a free one chosen"
                    )
        if table.ends[cable, 0] == table.ends[cable, 1]:
            raise TopologyError(
                f"{where}: chip {chip} is linked to itself; remove the row"
            )
        table.level[cable] = level_named(row.get("level") or "local", where)
        table.length_m[cable] = length_in_m(
            row.get("length_m") or DEFAULT_LENGTH_M, where
        )
    try:
        return table_topology(
            path.stem,
            table,
            chips=int(table.ends.max()) + 1,
            places=None,
            ports_per_chip=ports_per_chip,
        )
    except TopologyError as error:
        raise TopologyError(f"{path}: {error}") from error


def graphml_text(topology: Topology) -> str:
    """Return the graph of :meth:`Topology.to_networkx` as GraphML."""
    import networkx as nx  # noqa: PLC0415

    return "\n".join(nx.generate_graphml(topology.to_networkx())) + "\n"


def _read_graphml(path: Path, *, ports_per_chip: int = PORTS_PER_CHIP) -> Topology:
    """Return the topology of a GraphML file, by the rules of :func:`from_networkx`.

    Raises
    ------
    TopologyError
        If the graph is no topology. The message names the file and, if possible, the
        edge or the chip.
    """
    import networkx as nx  # noqa: PLC0415

    text = read_text(path)
    try:
        # As bytes, since the text may name the encoding that it had in the file.
        with warnings.catch_warnings():
            # What networkx warns of, it guesses; what matters is refused below.
            warnings.simplefilter("ignore")
            graph = nx.read_graphml(io.BytesIO(_ENCODING.sub("", text, 1).encode()))
    except (ParseError, nx.NetworkXError, ValueError, KeyError) as error:
        raise TopologyError(
            f"{path}: not a GraphML graph ({error}); write one with networkx"
        ) from error
    try:
        return from_networkx(graph, name=path.stem, ports_per_chip=ports_per_chip)
    except TopologyError as error:
        raise TopologyError(f"{path}: {error}") from error


def _check_header(path: Path, header: Sequence[str]) -> None:
    """Refuse a topology file's header with an unknown or without a required column."""
    for name in header:
        if name not in COLUMNS:
            raise TopologyError(
                f"{path}: row 1: no column {name!r}; {nearest(name, COLUMNS)}"
            )
    for name in _REQUIRED:
        if name not in header:
            raise TopologyError(
                f"{path}: row 1: no column {name!r} in the header; "
                f"the columns are {', '.join(COLUMNS)}"
            )


def _chip(text: str | None, rows: int, name: str, where: str) -> int:
    """Return the chip number read in a cell, refused if no `rows` links reach it."""
    chip = whole_number(text, name, where)
    if chip > rows:
        # A mistyped number must not request an array of a billion chips.
        raise TopologyError(
            f"{where}: chip {chip} is out of reach: {rows} links connect at most "
            f"{rows + 1} chips, numbered 0 to {rows}"
        )
    return chip
