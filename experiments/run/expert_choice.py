"""Choice of experts by a given distribution, and the pairs that a fixed room drops.

A router chooses experts at run time, and a static schedule has room for so many pairs
of a token and an expert in each group of experts. What more is chosen is dropped.
"""

import csv
import math
from pathlib import Path

import numpy as np

from specs.arrays import Floats
from specs.errors import SpecError
from specs.input_files import read_text

UNIFORM, _ZIPF = "uniform", "zipf:"
_COLUMNS = ["expert", "chosen"]
# Keys of so many pairs are drawn at once: some 30 MB.
_PAIRS_AT_ONCE = 1 << 22
# Beyond that all tokens choose the same experts.
_MOST_EXPONENT = 10


def choice_weights(text: str, experts: int) -> Floats:
    """Return how often each expert is chosen, in relation to others.

    Parameters
    ----------
    text
        ``uniform``; ``zipf:S``, by which expert i, from 1, has the weight i^-S; or a
        CSV file with the columns ``expert`` (from 0) and ``chosen`` (times, or a
        share).
    experts
        Experts of a layer.

    Returns
    -------
    NDArray
        Weights of the experts, shape ``(experts,)``.

    Raises
    ------
    SpecError
        If the exponent or the file is not understood, or the file does not name every
        expert once.

    Examples
    --------
    >>> choice_weights("zipf:1", 4).tolist() == [1, 1 / 2, 1 / 3, 1 / 4]
    True
    """
    if text == UNIFORM:
        return np.ones(experts)
    if not text.startswith(_ZIPF):
        return _weights_of_file(Path(text), experts)
    exponent = _number(text.removeprefix(_ZIPF))
    if exponent is None or exponent > _MOST_EXPONENT:
        raise SpecError(
            f"choice of experts {text!r}: the exponent must be a number from 0 to "
            f"{_MOST_EXPONENT}; write zipf:1.0"
        )
    return np.arange(1, experts + 1, dtype=np.float64) ** -exponent


def dropped_fraction(
    weights: Floats,
    *,
    chosen: int,
    tokens: int,
    groups: int,
    room: int,
    seed: int,
    draws: int = 1000,
) -> float:
    """Return the mean fraction of pairs of a token and an expert that are dropped.

    Each token chooses different experts, one after the other, by the weights of those
    that are left. It is estimated from seeded draws; its standard deviation is at most
    ``0.5 / sqrt(draws)``.

    Parameters
    ----------
    weights
        Weights of the experts, shape ``(experts,)``.
    chosen
        Experts that a token chooses.
    tokens
        Tokens that are computed together, whose choices are independent.
    groups
        Groups of as many consecutive experts each.
    room
        Pairs of each group for which a schedule has room.
    seed, draws
        Source of chance, and number of batches that are drawn.

    Raises
    ------
    SpecError
        If fewer experts are ever chosen than a token chooses.

    References
    ----------
    .. [1] P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir",
       Information Processing Letters 97, 2006: the largest of keys log(u) / w are such
       a choice.
    """
    if np.count_nonzero(weights) < chosen:
        raise SpecError(
            f"a token chooses {chosen} experts, and only {np.count_nonzero(weights)} "
            "are ever chosen; give more experts a share"
        )
    random = np.random.default_rng(np.random.SeedSequence(seed))
    held = len(weights) // groups
    at_once = max(1, _PAIRS_AT_ONCE // (tokens * len(weights)))
    dropped = 0
    for first in range(0, draws, at_once):
        batches = min(at_once, draws - first)
        drawn = random.exponential(size=(batches, tokens, len(weights)))
        with np.errstate(divide="ignore"):
            keys = drawn / weights
        experts = np.argpartition(keys, chosen - 1, axis=2)[:, :, :chosen]
        group = experts // held + groups * np.arange(batches)[:, None, None]
        pairs = np.bincount(group.ravel(), minlength=groups * batches)
        dropped += int(np.maximum(pairs - room, 0).sum())
    return dropped / (draws * tokens * chosen)


def _weights_of_file(path: Path, experts: int) -> Floats:
    """Return the weights of experts that a CSV file gives."""
    rows = list(csv.reader(read_text(path).splitlines()))
    if not rows or rows[0] != _COLUMNS:
        raise SpecError(f"{path}: the first line must be {','.join(_COLUMNS)}")
    weights = np.full(experts, np.nan)
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(_COLUMNS) or not row[0].isdecimal():
            raise SpecError(f"{path}, line {line}: expected an expert and a number")
        number, share = int(row[0][:9]), _number(row[1])
        if share is None:
            raise SpecError(f"{path}, line {line}: chosen must be a number from 0 on")
        if number >= experts:
            raise SpecError(
                f"{path}, line {line}: expert {number} of {experts}, which are "
                "numbered from 0"
            )
        if not np.isnan(weights[number]):
            raise SpecError(f"{path}, line {line}: expert {number} is given twice")
        weights[number] = share
    if np.isnan(weights).any():
        missing = int(np.flatnonzero(np.isnan(weights))[0])
        raise SpecError(f"{path}: expert {missing} is missing; give each of {experts}")
    return weights


def _number(text: str) -> float | None:
    """Return a number of at least 0, None if it is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
