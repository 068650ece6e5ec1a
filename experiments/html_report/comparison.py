"""Comparison of two runs: what was asked differently, and which numbers moved most."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

import pandas as pd

from experiments.html_report.simulation_view import last_replica, operator_cycles

MOST_MOVERS = 10
# What a run takes on this computer says nothing about the machine.
_OF_THE_COMPUTER = (
    "run.wall_s",
    "run.compile_s",
    "run.peak_rss_bytes",
    "run.realtime_factor",
    "run.events",
)


class Difference(NamedTuple):
    """A number of two summaries.

    Attributes
    ----------
    key
        Its key, with dots.
    first, second
        The numbers.
    """

    key: str
    first: float
    second: float

    @property
    def change(self) -> float:
        """Return by how much the second is more."""
        return self.second - self.first

    @property
    def share(self) -> float:
        """Return the signed change as a share of the larger of both, 0 to 1."""
        largest = max(abs(self.first), abs(self.second))
        return self.change / largest if largest else 0.0


def flat(values: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Return the values of a summary by their keys, with dots and numbers of lists.

    >>> flat({"a": {"b": 1, "c": [2, None]}})
    {'a.b': 1, 'a.c.0': 2, 'a.c.1': None}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{within}{name}"
        if isinstance(value, list | tuple):
            numbered = {str(place): each for place, each in enumerate(value)}
            found.update(flat(numbered, f"{key}."))
        elif isinstance(value, Mapping):
            found.update(flat(value, f"{key}."))
        else:
            found[key] = value
    return found


def differing_inputs(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[tuple[str, Any, Any]]:
    """Return the inputs of two runs that differ: key, and the value in each.

    A key that one has not is None there.
    """
    a, b = (flat(summary.get("inputs", {})) for summary in (first, second))
    keys = [*a, *(key for key in b if key not in a)]
    return [(key, a.get(key), b.get(key)) for key in keys if a.get(key) != b.get(key)]


def differences(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[Difference]:
    """Return the numbers of both summaries that differ, but for inputs, in their order.

    Seconds and bytes of the computer that ran them are left out.
    """
    a, b = flat(first), flat(second)
    rows = []
    for key, value in a.items():
        other = b.get(key)
        if key.startswith("inputs.") or key in _OF_THE_COMPUTER:
            continue
        if _is_number(value) and _is_number(other) and value != other:
            rows.append(Difference(key, value, other))
    return rows


def largest_movers(rows: list[Difference], most: int = MOST_MOVERS) -> list[Difference]:
    """Return the differences of two runs that are the largest in relation."""
    return sorted(rows, key=lambda row: -abs(row.share))[:most]


def operator_changes(
    first: pd.DataFrame, second: pd.DataFrame, most: int = MOST_MOVERS
) -> list[Difference]:
    """Return the operators whose cycles differ most between two runs.

    Parameters
    ----------
    first, second
        Tables ``timeline`` of the runs; the cycles are those that count for a token.
    most
        Operators to return.
    """
    a, b = (_cycles_of(timeline) for timeline in (first, second))
    rows = [
        Difference(name, a.get(name, 0), b.get(name, 0))
        for name in dict.fromkeys([*a, *b])
    ]
    moved = [row for row in rows if row.change]
    return sorted(moved, key=lambda row: -abs(row.change))[:most]


def _cycles_of(timeline: pd.DataFrame) -> dict[str, int]:
    """Return the cycles of a run's token by operator and kind."""
    own = timeline[timeline["replica"] == last_replica(timeline)]
    cycles = operator_cycles(own)
    names = cycles["name"].astype(str) + " (" + cycles["kind"].astype(str) + ")"
    counts = (int(each) for each in cycles["path_cycles"])
    return dict(zip(names.tolist(), counts, strict=True))


def _is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a summary can be subtracted."""
    return isinstance(value, int | float) and not isinstance(value, bool)
