"""Traffic points: the keys of a traffic file that a sweep changes, and their values."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.sweep.axes import axis_values, check_names, setting_names
from experiments.sweep.grid import swept_number
from serving.traffic_file import TrafficFile
from specs.errors import SpecError

# Tables of a traffic file of which a key is named as table.key.
_TABLES = (
    "frame",
    "traffic",
    "slo",
    "cache",
    "limits",
    "speculation",
    "transfer",
    "pairing",
)


def without_sweep(
    content: Mapping[str, Any], origin: str | Path, folder: Path | None = None
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return a file's content without its table ``[sweep]``, and the axes in that.

    Parameters
    ----------
    content
        Keys and values of the file.
    origin, folder
        Name of the file for messages, and folder of files that values name.

    Raises
    ------
    SpecError
        If the table is none, zips, or has an axis that cannot be meant.
    """
    rest = dict(content)
    table = rest.pop("sweep", None)
    if table is None:
        return rest, {}
    if not isinstance(table, dict):
        raise SpecError(f"{origin}: sweep must be a table, as in [sweep] seed = [1, 2]")
    if "zip" in table:
        raise SpecError(
            f"{origin}: no zip here; every combination of its axes is a point"
        )
    return rest, axis_values(table, str(origin), folder)


def with_keys(content: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a traffic file's content with values at its keys, or its settings.

    Parameters
    ----------
    content
        Keys and values of the file.
    values
        Values by name: a key, ``traffic.rate_per_s`` and such, or a machine setting.

    Raises
    ------
    SpecError
        If a name is neither a key of the file nor a setting.
    """
    merged = {**content, "settings": dict(content.get("settings", {}))}
    for name, value in values.items():
        table, dot, key = name.partition(".")
        number = swept_number(value)
        if dot and table in _TABLES:
            merged[table] = _with_key(merged.get(table), key, number)
        elif name in TrafficFile.model_fields:
            merged[name] = number
        else:
            known = [*TrafficFile.model_fields, *setting_names()]
            check_names([name], known, "--set")
            merged["settings"][name] = number
    return merged


def _with_key(table: Any, key: str, value: Any) -> dict[str, Any]:
    """Return a table with a value at a key, which may be of a table in it."""
    # A pairing may be named instead of written out.
    given = {"like": table} if isinstance(table, str) else dict(table or {})
    name, dot, rest = key.partition(".")
    given[name] = _with_key(given.get(name), rest, value) if dot else value
    return given


def steps(axes: Mapping[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield the values of axes at each point, the last of which changes fastest.

    Parameters
    ----------
    axes
        Values of each axis by its name.
    """
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, map(swept_number, values), strict=True))
