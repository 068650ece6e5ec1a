"""Traces of requests: Azure, BurstGPT, Mooncake, and JSONL as vLLM and GuideLLM use.

Files are read line by line; each fault is told with its line.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from serving.requests.request_table import RequestTable, request_table
from specs.errors import SpecError
from specs.units import PS_PER_S

# Positions that a hash of a Mooncake trace stands for.
MOONCAKE_BLOCK_TOKENS = 512

_AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_BURSTGPT = ("Timestamp", "Request tokens", "Response tokens")


class TraceColumns(NamedTuple):
    """Names of the columns of a JSONL trace, as GuideLLM's options call them."""

    timestamp_column: str = "timestamp"
    prompt_tokens_column: str = "prompt_tokens"
    output_tokens_column: str = "output_tokens"


class TraceRow(NamedTuple):
    """A request of a trace; an answer of 0 tokens has failed there."""

    at_ps: int
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


def trace_rows(
    path: Path,
    columns: TraceColumns = TraceColumns(),  # noqa: B008
) -> Iterator[TraceRow]:
    """Yield the requests of a trace, line by line.

    Parameters
    ----------
    path
        A ``.csv`` of Azure or BurstGPT, known by its header, or a ``.jsonl``.
    columns
        Names of the columns of a JSONL that is not Mooncake's.

    Raises
    ------
    SpecError
        If the file cannot be read, or a line is not what its format says.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix.lower() == ".csv":
                yield from _csv_rows(path, file)
            else:
                yield from _json_rows(path, file, columns)
    except FileNotFoundError:
        raise SpecError(
            f"no trace {path} (looked in {path.absolute().parent})"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"trace {path}: cannot be read: {error}") from None


def _csv_rows(path: Path, file: TextIO) -> Iterator[TraceRow]:
    """Yield the requests of an Azure or BurstGPT trace."""
    reader = csv.DictReader(file)
    names = tuple(reader.fieldnames or ())
    if set(_AZURE) <= set(names):
        at, prompt, output = _AZURE
        time = _date_ps
    elif set(_BURSTGPT) <= set(names):
        at, prompt, output = _BURSTGPT
        time = _seconds_ps
    else:
        raise SpecError(
            f"trace {path}:1: columns {','.join(names) or 'none'}; an Azure trace has "
            f"{','.join(_AZURE)}, BurstGPT {','.join(_BURSTGPT)}"
        )
    for row in reader:
        where = f"trace {path}:{reader.line_num}"
        yield TraceRow(
            _value(where, row, at, time),
            _value(where, row, prompt, _whole),
            _value(where, row, output, _whole),
        )


def _json_rows(path: Path, file: TextIO, columns: TraceColumns) -> Iterator[TraceRow]:
    """Yield the requests of a JSONL trace."""
    for number, line in enumerate(file, start=1):
        where = f"trace {path}:{number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise SpecError(f"{where}: not valid JSON: {error.msg}") from None
        if not isinstance(row, dict):
            raise SpecError(f"{where}: holds a {type(row).__name__}, expected keys")
        if "input_length" in row:
            hashes = row.get("hash_ids", [])
            if not isinstance(hashes, list) or not all(
                type(each) is int for each in hashes
            ):
                raise SpecError(f"{where}: hash_ids must be a list of whole numbers")
            prompt = _value(where, row, "input_length", _whole)
            yield TraceRow(
                _value(where, row, "timestamp", _milliseconds_ps),
                prompt,
                _value(where, row, "output_length", _whole),
                tuple(hashes[: prompt // MOONCAKE_BLOCK_TOKENS]),
            )
            continue
        at, prompt_name, output = columns
        yield TraceRow(
            _value(where, row, at, _stamp_ps),
            _value(where, row, prompt_name, _whole),
            _value(where, row, output, _whole),
        )


def trace_table(
    path: Path,
    count: int,
    columns: TraceColumns = TraceColumns(),  # noqa: B008
    *,
    speed: float = 1.0,
) -> tuple[RequestTable, int]:
    """Return the first requests of a trace, from time 0, and how many failed there.

    Parameters
    ----------
    path, columns
        As in `trace_rows`.
    count
        Requests to take at most, without those that failed in the trace.
    speed
        Times by which requests come faster than in the trace.

    Raises
    ------
    SpecError
        If the trace is empty, a line is wrong, or requests are not in order.
    """
    failed = 0

    def answered() -> Iterator[TraceRow]:
        nonlocal failed
        last = None
        for number, row in enumerate(trace_rows(path, columns), start=1):
            if last is not None and row.at_ps < last:
                raise SpecError(
                    f"trace {path}: request {number} comes before the one ahead of "
                    f"it; sort the trace by time"
                )
            last = row.at_ps
            if row.prompt_tokens < 1 or row.output_tokens < 1:
                failed += 1
                continue
            yield row

    rows = list(islice(answered(), count))
    if not rows:
        raise SpecError(f"trace {path}: no request with an answer; name another file")
    begin = rows[0].at_ps
    arrivals = np.array([row.at_ps - begin for row in rows], dtype=np.float64)
    blocks = tuple(row.blocks for row in rows)
    table = request_table(
        np.rint(arrivals / speed).astype(np.int64),
        np.array([row.prompt_tokens for row in rows], dtype=np.int64),
        np.array([row.output_tokens for row in rows], dtype=np.int64),
        blocks=blocks if any(chain.from_iterable(blocks)) else (),
    )
    return table, failed


def _value(where: str, row: Mapping[str, Any], name: str, convert: Any) -> int:
    """Return a value of a line, or refuse it with its line."""
    value = row.get(name)
    if value is None:
        raise SpecError(f"{where}: no {name}; it has {', '.join(map(str, row))}")
    try:
        return int(convert(value))
    except (TypeError, ValueError, OverflowError):
        raise SpecError(f"{where}: {name} = {value!r} is not what it must be") from None


def _whole(value: Any) -> int:
    """Return a count of tokens."""
    number = float(value)
    if isinstance(value, bool) or number < 0 or number != int(number):
        raise ValueError(value)
    return int(number)


def _seconds_ps(value: Any) -> int:
    """Return seconds in ps."""
    return round(float(value) * PS_PER_S)


def _milliseconds_ps(value: Any) -> int:
    """Return milliseconds in ps."""
    return round(float(value) * (PS_PER_S // 1000))


def _date_ps(value: Any) -> int:
    """Return a date with up to twelve digits of a second in ps."""
    text, _, fraction = str(value).strip().partition(".")
    digits, _, _ = fraction.partition("+")
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(moment.timestamp()) * PS_PER_S + int(digits.ljust(12, "0")[:12])


def _stamp_ps(value: Any) -> int:
    """Return seconds, or a date, in ps."""
    return _date_ps(value) if isinstance(value, str) else _seconds_ps(value)
