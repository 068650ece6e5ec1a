"""The axes of a sweep, read from a table, and the scenarios at their crossings."""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, final

from experiments.preparation import MODEL_SETTING, scenario_of
from sharding.strategy import Strategy
from specs.errors import SpecError, nearest
from specs.machine import load_machine, setting_paths
from specs.model import SIZES
from specs.reading import read_mapping
from specs.scenario import Scenario, scenario, seen_from

# More fit neither in memory at once nor in a lifetime; a slip of a digit does it.
MOST_POINTS = 100_000
_STRATEGY = "strategy."


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


class Point(NamedTuple):
    """One scenario of a sweep, and the values that set it apart from the others."""

    swept: dict[str, Any]
    scenario: Scenario

    def __str__(self) -> str:
        """Return the values that set it apart, as a person writes them."""
        return " ".join(f"{name}={value}" for name, value in self.swept.items())


@final
@dataclass(frozen=True, eq=False)
class Sweep:
    """Every point of a sweep, the last axis changing fastest.

    Parameters
    ----------
    names
        The parameters swept.
    points
        The points in their order, which is that of the results.
    """

    names: tuple[str, ...]
    points: tuple[Point, ...]


def load_sweep(path: Path) -> Sweep:
    """Return the sweep of a TOML file: a scenario and a table ``[sweep]``.

    Raises
    ------
    SpecError
        If the file cannot be read, or names no axis, an axis without values, one
        twice, a parameter that does not exist, or a value that cannot be meant.
    """
    content = seen_from(path.parent, read_mapping(path))
    table = content.pop("sweep", None)
    if not isinstance(table, dict):
        raise SpecError(
            f"{path}: has no [sweep] table, as in [sweep] seed = [1, 2]; "
            "groqrack simulate runs a single scenario"
        )
    base = scenario(content, str(path)).model_dump(exclude_unset=True)
    return sweep_of(base, read_axes(table, str(path), path.parent), str(path))


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
        As `load_sweep`.
    """
    values: dict[str, list[Any]] = {}
    for name, said in _flat({key: table[key] for key in table if key != "zip"}):
        if name in values:
            raise SpecError(f"{origin}: {name} is swept twice; put all in one list")
        values[name] = _values(name, said, origin)
        if folder is not None:
            seen = [seen_from(folder, {name: each}) for each in values[name]]
            values[name] = [each[name] for each in seen]
    if not values:
        raise SpecError(f"{origin}: [sweep] has no axis; write one, as seed = [1, 2]")
    _check_names(values, _parameters(), origin)
    groups = _groups(table.get("zip", []), values, origin)
    together = {name: group for group in groups for name in group}
    # A group stands where the first of its parameters does.
    named = dict.fromkeys(together.get(name, (name,)) for name in values)
    return [
        Axis(names, tuple(zip(*(values[name] for name in names), strict=True)))
        for names in named
    ]


def sweep_of(base: Mapping[str, Any], axes: Sequence[Axis], origin: str) -> Sweep:
    """Return the sweep of a scenario over axes.

    Parameters
    ----------
    base
        What all points have in common, as `Scenario` has it.
    axes
        What is swept, the slowest first.
    origin
        Where they come from, for the message.

    Raises
    ------
    SpecError
        If there are too many points, a value cannot be meant, or two points are equal.
    """
    total = math.prod(len(axis.steps) for axis in axes)
    if total > MOST_POINTS:
        raise SpecError(
            f"{origin}: {total:,} points, a sweep holds {MOST_POINTS:,}; "
            "shorten an axis, or zip those that belong together"
        )
    # Every point would be refused for the same slip of the pen.
    _check_names(base.get("settings", {}), _settings(), origin)
    names = tuple(name for axis in axes for name in axis.names)
    points = []
    first: dict[str, int] = {}
    for number, steps in enumerate(itertools.product(*(axis.steps for axis in axes))):
        swept = dict(zip(names, itertools.chain(*steps), strict=True))
        said = " ".join(f"{name}={value}" for name, value in swept.items())
        point = Point(swept, _scenario(base, swept, f"{origin}: point {said}"))
        equal = first.setdefault(point.scenario.model_dump_json(), number)
        if equal != number:
            raise SpecError(
                f"{origin}: points {equal + 1} and {number + 1} are the same, {point}; "
                "name each value once"
            )
        points.append(point)
    return Sweep(names, tuple(points))


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


def _parameters() -> list[str]:
    plain = [name for name in Scenario.model_fields if name != "settings"]
    parts = [f"{_STRATEGY}{field.name}" for field in fields(Strategy)]
    return [*plain, *parts, *_settings()]


def _settings() -> list[str]:
    sizes = [f"{MODEL_SETTING}{name}" for name in SIZES]
    return [*sizes, *setting_paths(load_machine())]


def _check_names(names: Iterable[str], known: Sequence[str], origin: str) -> None:
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


def _scenario(base: Mapping[str, Any], swept: dict[str, Any], origin: str) -> Scenario:
    """Return the scenario of a point, swept values in place of common ones."""
    merged = dict(base)
    settings = dict(base.get("settings", {}))
    parts = {}
    for name, value in swept.items():
        if name.startswith(_STRATEGY):
            parts[name.removeprefix(_STRATEGY)] = value
        elif name in Scenario.model_fields:
            merged[name] = value
        else:
            settings[name] = value
    if parts:
        merged["strategy"] = _strategy(str(merged.get("strategy", "")), parts)
    return scenario_of({**merged, "settings": settings}, origin)


def _strategy(text: str, parts: Mapping[str, Any]) -> str:
    """Return a strategy with parts of it said anew, the others as they were."""
    said = dict(piece.split("=") for piece in text.split(",") if piece.count("=") == 1)
    return ",".join(f"{key}={value}" for key, value in {**said, **parts}.items())
