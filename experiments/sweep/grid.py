"""Grid of a sweep: a scenario for each combination of the values of its axes."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple, final

from experiments.run.plan_csv import SUFFIX
from experiments.run.preparation import AUTO
from experiments.run.scenario_inputs import scenario_of
from experiments.sweep.axes import (
    MOST_POINTS,
    STRATEGY,
    Axis,
    check_names,
    read_axes,
    setting_names,
)
from sharding.parallelism.strategy import Strategy
from specs.errors import SpecError
from specs.scenario import Scenario, resolved_file_names, scenario
from specs.validation import read_mapping


class SweepPoint(NamedTuple):
    """Point of a sweep: its swept values, and its scenario."""

    swept: dict[str, Any]
    scenario: Scenario

    def __str__(self) -> str:
        """Return the swept values as ``name=value``, separated by blanks."""
        return " ".join(f"{name}={value}" for name, value in self.swept.items())


@final
@dataclass(frozen=True, eq=False)
class Sweep:
    """Sweep: all points of a grid; the last axis changes fastest.

    Parameters
    ----------
    names
        The swept parameters.
    points
        The points in order, which is the order of the results.
    """

    names: tuple[str, ...]
    points: tuple[SweepPoint, ...]


def load_sweep(path: Path) -> Sweep:
    """Return the sweep of a TOML file with a scenario and a table ``[sweep]``.

    Raises
    ------
    SpecError
        If the file cannot be read, or names no axis, an axis without values, one
        twice, a parameter that does not exist, or a value that cannot be meant.
    """
    content = resolved_file_names(path.parent, read_mapping(path))
    table = content.pop("sweep", None)
    if not isinstance(table, dict):
        raise SpecError(
            f"{path}: has no [sweep] table, as in [sweep] seed = [1, 2]; "
            "groqrack simulate runs a single scenario"
        )
    base = scenario(content, str(path)).model_dump(exclude_unset=True)
    return sweep_of(base, read_axes(table, str(path), path.parent), str(path))


def sweep_of(base: Mapping[str, Any], axes: Sequence[Axis], origin: str) -> Sweep:
    """Return the sweep of a scenario over axes.

    Parameters
    ----------
    base
        Common values of all points, by the keys of `Scenario`.
    axes
        Axes of the grid, the slowest first.
    origin
        Name of the file or command of the sweep, for messages.

    Raises
    ------
    SpecError
        If there are too many points, a value cannot be meant or has no effect, or two
        points are equal.
    """
    total = math.prod(len(axis.steps) for axis in axes)
    if total > MOST_POINTS:
        raise SpecError(
            f"{origin}: {total:,} points, a sweep holds {MOST_POINTS:,}; "
            "shorten an axis, or zip those that belong together"
        )
    # Otherwise every point would be refused for the same typing error.
    check_names(base.get("settings", {}), setting_names(), origin)
    names = tuple(name for axis in axes for name in axis.names)
    points = []
    first: dict[str, int] = {}
    for number, steps in enumerate(itertools.product(*(axis.steps for axis in axes))):
        swept = dict(zip(names, itertools.chain(*steps), strict=True))
        values = " ".join(f"{name}={value}" for name, value in swept.items())
        point = SweepPoint(swept, _scenario(base, swept, f"{origin}: point {values}"))
        equal = first.setdefault(point.scenario.model_dump_json(), number)
        if equal != number:
            raise SpecError(
                f"{origin}: points {equal + 1} and {number + 1} are the same, {point}; "
                "name each value once"
            )
        points.append(point)
    if "objective" in names and all(p.scenario.strategy != AUTO for p in points):
        raise SpecError(
            f"{origin}: objective says what a search seeks and no point has one; "
            f"write strategy = {AUTO!r}, or leave the axis out"
        )
    return Sweep(names, tuple(points))


def _scenario(base: Mapping[str, Any], swept: dict[str, Any], origin: str) -> Scenario:
    """Return the scenario of a sweep point; swept values replace common ones."""
    merged = dict(base)
    settings = dict(base.get("settings", {}))
    parts = {}
    for name, value in swept.items():
        if name.startswith(STRATEGY):
            parts[name.removeprefix(STRATEGY)] = value
        elif name in Scenario.model_fields:
            merged[name] = value
        else:
            settings[name] = value
    # A number must give the same key however it is written.
    merged["settings"] = {path: swept_number(value) for path, value in settings.items()}
    if parts:
        merged["strategy"] = _strategy(merged, parts, origin)
    return scenario_of(merged, origin)


def _strategy(merged: Mapping[str, Any], parts: Mapping[str, Any], origin: str) -> str:
    """Return a strategy with some of its keys replaced by swept ones."""
    text = str(merged.get("strategy", ""))
    if text == AUTO or text.endswith(SUFFIX):
        raise SpecError(
            f"{origin}: {STRATEGY}{next(iter(parts))} is a part of a strategy and "
            f"{text!r} has none; name a strategy such as tensor=8, or leave one out"
        )
    keys: dict[str, Any] = dict(
        piece.split("=") for piece in text.split(",") if piece.count("=") == 1
    )
    keys.update(parts)
    if not text and not parts.keys() & {"tensor", "pipeline"}:
        default = scenario_of(merged, origin).strategy.partition(",")[0]
        keys = {"tensor": default.removeprefix("tensor="), **keys}
    # Default values are left out, since some of them cannot be written.
    defaults = {field.name: field.default for field in fields(Strategy)}
    return ",".join(
        f"{key}={value}" for key, value in keys.items() if value != defaults.get(key)
    )


def swept_number(value: Any) -> Any:
    """Return a value of a sweep as a number if its text denotes one, else unchanged.

    >>> [swept_number(value) for value in (2.0, "1e-9", "217", "rs544", True)]
    [2, 1e-09, 217, 'rs544', True]
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    if not math.isfinite(number):
        return value
    return int(number) if number.is_integer() else number
