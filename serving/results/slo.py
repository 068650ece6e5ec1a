"""Service-level objectives: the latencies that a user must not exceed."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from specs.errors import SpecError, nearest
from specs.units import PS_PER_US, US_PER_MS

PS_PER_MS = PS_PER_US * US_PER_MS


class Slo(NamedTuple):
    """Objectives in ms; 0 for none.

    Attributes
    ----------
    ttft_ms, tpot_ms, e2el_ms
        Time to the first token, time per output token after it, and time to the last.
    """

    ttft_ms: float = 0.0
    tpot_ms: float = 0.0
    e2el_ms: float = 0.0


def parse_slo(parts: list[str]) -> Slo:
    """Return objectives written as ``ttft:200`` or ``ttft=200ms``, in ms.

    Raises
    ------
    SpecError
        If a name or number is wrong.

    Examples
    --------
    >>> parse_slo(["ttft:200", "tpot=5ms"])
    Slo(ttft_ms=200.0, tpot_ms=5.0, e2el_ms=0.0)
    """
    given: dict[str, float] = {}
    for part in parts:
        name, found, value = part.replace("=", ":").partition(":")
        key = f"{name.strip()}_ms"
        if not found or key not in Slo._fields:
            known = [each.removesuffix("_ms") for each in Slo._fields]
            raise SpecError(
                f"objective {part!r}: {nearest(name, known)}, as in ttft:200"
            )
        try:
            given[key] = float(value.strip().removesuffix("ms"))
        except ValueError:
            given[key] = -1.0
        if not given[key] > 0:
            raise SpecError(f"objective {part!r}: {value!r} must be ms > 0")
    return Slo(**given)


def meets(records: pd.DataFrame, slo: Slo) -> NDArray[np.bool_]:
    """Return whether each request is completed within all objectives.

    Parameters
    ----------
    records
        Rows as `request_records` returns them.
    slo
        The objectives.
    """
    met = (records["outcome"] == "completed").to_numpy()
    for name, most in slo._asdict().items():
        if most:
            column = records[f"{name.removesuffix('_ms')}_ps"].to_numpy()
            met = met & (column <= most * PS_PER_MS)
    return met
