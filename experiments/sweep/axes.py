"""Axes of a sweep: parameters and their values, read from a table."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from experiments.run.scenario_inputs import MODEL_SETTING
from sharding.parallelism.strategy import Strategy
from specs.errors import SpecError, nearest
from specs.machine import load_machine, setting_paths
from specs.model import SIZES
from specs.scenario import Scenario, resolved_file_names

# More points do not fit in memory and would take months; a typing error asks for them.
MOST_POINTS = 100_000
# Prefix of the keys of a strategy, as in strategy.tensor.
STRATEGY = "strategy."


class Axis(NamedTuple):
    """Axis of a sweep: parameters that change together, and their values step by step.

    Parameters
    ----------
    names
        One parameter, or several parameters that are zipped.
    steps
        For each step one value of each parameter.
    """

    names: tuple[str, ...]
    steps: tuple[tuple[Any, ...], ...]


def read_axes(
    table: Mapping[str, Any], origin: str, folder: Path | None = None
) -> list[Axis]:
    """Return the axes of a sweep from a table, in its order.

    Parameters
    ----------
    table
        Values by parameter: a list, or ``{range = [from, below, step]}`` of whole
        numbers. ``zip`` lists the groups of parameters that change together. The keys
        of a nested table become dotted names.
    origin
        Name of the file or option with the table, for messages.
    folder
        Folder of files that values name; None for the current one.

    Raises
    ------
    SpecError
        If the table names no axis, an axis without values, one twice, a parameter that
        does not exist, or a value that cannot be meant.
    """
    values = axis_values(table, origin, folder)
    check_names(values, parameters(), origin)
    groups = _groups(table.get("zip", []), values, origin)
    together = {name: group for group in groups for name in group}
    # A group takes the place of its first parameter.
    named = dict.fromkeys(together.get(name, (name,)) for name in values)
    return [
        Axis(names, tuple(zip(*(values[name] for name in names), strict=True)))
        for names in named
    ]


def axis_values(
    table: Mapping[str, Any], origin: str, folder: Path | None = None
) -> dict[str, list[Any]]:
    """Return the values of the axes of a sweep by dotted name, whatever they are of.

    Parameters are those of `read_axes`.

    Raises
    ------
    SpecError
        If the table names no axis, an axis without values, one twice, or a value that
        cannot be meant.
    """
    values: dict[str, list[Any]] = {}
    for name, entry in _flat({key: table[key] for key in table if key != "zip"}):
        if name in values:
            raise SpecError(f"{origin}: {name} is swept twice; put all in one list")
        values[name] = _values(name, entry, origin)
        if folder is not None:
            seen = [resolved_file_names(folder, {name: each}) for each in values[name]]
            values[name] = [each[name] for each in seen]
    if not values:
        raise SpecError(f"{origin}: [sweep] has no axis; write one, as seed = [1, 2]")
    return values


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted names of a sweep with their entries, of which a range is one."""
    for key, entry in table.items():
        if not isinstance(entry, dict) or "range" in entry:
            yield key, entry
        elif key == "settings":
            yield from _flat(entry)
        else:
            for inner, each in _flat(entry):
                yield f"{key}.{inner}", each


def _values(name: str, entry: Any, origin: str) -> list[Any]:
    """Return the values to sweep of an entry: a list or a range."""
    if isinstance(entry, dict):
        values: list[Any] = list(_range(name, entry, origin))
    elif isinstance(entry, list):
        values = entry
    else:
        raise SpecError(
            f"{origin}: {name} = {entry!r} is no axis; write {name} = [{entry!r}], or "
            "put it above [sweep]"
        )
    if not values:
        raise SpecError(f"{origin}: {name} has no values; name one, or remove the axis")
    for value in values:
        number = isinstance(value, int | float) and math.isfinite(value)
        if not number and not (isinstance(value, str) and value):
            raise SpecError(
                f"{origin}: {name} cannot be {value!r}; write numbers and words"
            )
    return values


def _range(name: str, entry: dict[str, Any], origin: str) -> range:
    """Return the range to sweep of an entry ``{range = [from, below, step]}``."""
    bounds = entry["range"]
    numbers = isinstance(bounds, list) and all(type(each) is int for each in bounds)
    if not numbers or len(bounds) not in (2, 3) or 0 in bounds[2:] or len(entry) > 1:
        raise SpecError(
            f"{origin}: {name} = {entry!r}: write {{ range = [FROM, BELOW] }} or "
            "{ range = [FROM, BELOW, STEP] } in whole numbers; list others one by one"
        )
    steps = range(*bounds)
    if steps and (steps[-1] - steps[0]) // steps.step >= MOST_POINTS:
        raise SpecError(
            f"{origin}: {name} has more than {MOST_POINTS:,} values, all that a sweep "
            "holds; widen the step"
        )
    return steps


def parameters() -> list[str]:
    """Return the names of all parameters that can be swept."""
    plain = [name for name in Scenario.model_fields if name != "settings"]
    parts = [f"{STRATEGY}{field.name}" for field in fields(Strategy)]
    return [*plain, *parts, *setting_names()]


def setting_names() -> list[str]:
    """Return the dotted names of machine and model settings that a sweep can vary."""
    sizes = [f"{MODEL_SETTING}{name}" for name in SIZES]
    return [*sizes, *setting_paths(load_machine())]


def check_names(names: Iterable[str], known: Sequence[str], origin: str) -> None:
    """Refuse a sweep with a parameter whose name is not known.

    Raises
    ------
    SpecError
        If a name is unknown; the message has the nearest one.
    """
    for name in names:
        if name not in known:
            raise SpecError(
                f"{origin}: there is no parameter {name!r}; {nearest(name, known)}"
            )


def _groups(
    entry: Any, values: Mapping[str, list[Any]], origin: str
) -> list[tuple[str, ...]]:
    """Return the groups of a sweep's zipped parameters; none is in two groups."""
    if not isinstance(entry, list) or not all(
        isinstance(group, list) and all(isinstance(name, str) for name in group)
        for group in entry
    ):
        raise SpecError(
            f"{origin}: zip = {entry!r}: write groups, as in "
            'zip = [["chips", "context"]]'
        )
    counts = Counter(name for group in entry for name in group)
    for name, count in counts.items():
        if name not in values:
            raise SpecError(
                f"{origin}: zip names {name!r}, which is no axis; "
                f"{nearest(name, values)}"
            )
        if count > 1:
            raise SpecError(f"{origin}: zip names {name!r} twice; name it once")
    for group in entry:
        lengths = {name: len(values[name]) for name in group}
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"{name} has {count}" for name, count in lengths.items())
            raise SpecError(
                f"{origin}: zip needs equally many values, but {each}; "
                "lengthen the shorter one"
            )
    return [tuple(group) for group in entry if group]
