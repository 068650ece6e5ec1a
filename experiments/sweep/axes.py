"""The axes of a sweep, read from a table."""

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

# More fit neither in memory at once nor in a lifetime; a slip of a digit does it.
MOST_POINTS = 100_000
# How a part of a strategy begins, such as strategy.tensor.
STRATEGY = "strategy."


class Axis(NamedTuple):
    """Parameters that change together, and the values that they take in turn.

    Parameters
    ----------
    names
        One parameter, or several that are zipped.
    steps
        For each step one value of each parameter.
    """

    names: tuple[str, ...]
    steps: tuple[tuple[Any, ...], ...]


def read_axes(
    table: Mapping[str, Any], origin: str, folder: Path | None = None
) -> list[Axis]:
    """Return the axes that a table describes, in its order.

    Parameters
    ----------
    table
        Values by parameter: a list, or ``{range = [from, below, step]}`` of whole
        numbers. ``zip`` lists the groups of parameters that change together. A table
        in the table makes dotted names of its keys.
    origin
        Where the table comes from, for the message.
    folder
        Where files that values name are looked for; None for the current one.

    Raises
    ------
    SpecError
        If the table names no axis, an axis without values, one twice, a parameter that
        does not exist, or a value that cannot be meant.
    """
    values: dict[str, list[Any]] = {}
    for name, said in _flat({key: table[key] for key in table if key != "zip"}):
        if name in values:
            raise SpecError(f"{origin}: {name} is swept twice; put all in one list")
        values[name] = _values(name, said, origin)
        if folder is not None:
            seen = [resolved_file_names(folder, {name: each}) for each in values[name]]
            values[name] = [each[name] for each in seen]
    if not values:
        raise SpecError(f"{origin}: [sweep] has no axis; write one, as seed = [1, 2]")
    check_names(values, parameters(), origin)
    groups = _groups(table.get("zip", []), values, origin)
    together = {name: group for group in groups for name in group}
    # A group stands where the first of its parameters does.
    named = dict.fromkeys(together.get(name, (name,)) for name in values)
    return [
        Axis(names, tuple(zip(*(values[name] for name in names), strict=True)))
        for names in named
    ]


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield dotted names and what is said of each; a range is no table of its own."""
    for key, said in table.items():
        if not isinstance(said, dict) or "range" in said:
            yield key, said
        elif key == "settings":
            yield from _flat(said)
        else:
            for inner, each in _flat(said):
                yield f"{key}.{inner}", each


def _values(name: str, said: Any, origin: str) -> list[Any]:
    if isinstance(said, dict):
        values: list[Any] = list(_range(name, said, origin))
    elif isinstance(said, list):
        values = said
    else:
        raise SpecError(
            f"{origin}: {name} = {said!r} is no axis; write {name} = [{said!r}], or "
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


def _range(name: str, said: dict[str, Any], origin: str) -> range:
    bounds = said["range"]
    numbers = isinstance(bounds, list) and all(type(each) is int for each in bounds)
    if not numbers or len(bounds) not in (2, 3) or 0 in bounds[2:] or len(said) > 1:
        raise SpecError(
            f"{origin}: {name} = {said!r}: write {{ range = [FROM, BELOW] }} or "
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
    """Return everything that can be swept."""
    plain = [name for name in Scenario.model_fields if name != "settings"]
    parts = [f"{STRATEGY}{field.name}" for field in fields(Strategy)]
    return [*plain, *parts, *setting_names()]


def setting_names() -> list[str]:
    """Return the dotted paths of the machine and of the model."""
    sizes = [f"{MODEL_SETTING}{name}" for name in SIZES]
    return [*sizes, *setting_paths(load_machine())]


def check_names(names: Iterable[str], known: Sequence[str], origin: str) -> None:
    """Refuse a name that is not known.

    Raises
    ------
    SpecError
        If one is not; the message names the nearest.
    """
    for name in names:
        if name not in known:
            raise SpecError(
                f"{origin}: there is no parameter {name!r}; {nearest(name, known)}"
            )


def _groups(
    said: Any, values: Mapping[str, list[Any]], origin: str
) -> list[tuple[str, ...]]:
    """Return the groups of names that are zipped, each name in one group at most."""
    if not isinstance(said, list) or not all(
        isinstance(group, list) and all(isinstance(name, str) for name in group)
        for group in said
    ):
        raise SpecError(
            f"{origin}: zip = {said!r}: write groups, as in "
            'zip = [["chips", "context"]]'
        )
    counts = Counter(name for group in said for name in group)
    for name, count in counts.items():
        if name not in values:
            raise SpecError(
                f"{origin}: zip names {name!r}, which is no axis; "
                f"{nearest(name, values)}"
            )
        if count > 1:
            raise SpecError(f"{origin}: zip names {name!r} twice; name it once")
    for group in said:
        lengths = {name: len(values[name]) for name in group}
        if len(set(lengths.values())) > 1:
            each = ", ".join(f"{name} has {count}" for name, count in lengths.items())
            raise SpecError(
                f"{origin}: zip needs equally many values, but {each}; "
                "lengthen the shorter one"
            )
    return [tuple(group) for group in said if group]
