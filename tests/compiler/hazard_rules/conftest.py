"""Programs for single rules: of a few instructions written by hand, or compiled."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from chip.program import (
    Deskews,
    Opcode,
    OperatorKind,
    Program,
    Resident,
    Slice,
    Trains,
    instructions_of,
)
from compiler.ir.schedule import Schedule

Compile = Callable[..., Schedule]
# Chip, opcode, start cycle, duration; then operator, train, port and kind by name.
Row = dict[str, int]
# Link, vectors, wire cycle, receive cycle, train of the hop before or -1.
Train = tuple[int, int, int, int, int]
ProgramOf = Callable[..., Program]

_SLICES = {
    Opcode.READ: Slice.MEM,
    Opcode.LOAD: Slice.MEM,
    Opcode.MATMUL: Slice.MXM,
    Opcode.VECTOR: Slice.VXM,
    Opcode.SEND: Slice.C2C_OUT,
    Opcode.FORWARD: Slice.C2C_OUT,
    Opcode.RECEIVE: Slice.C2C_IN,
    Opcode.MARK: Slice.ICU,
}
_DEFAULTS = {"port": -1, "train": -1, "operator": -1, "kind": -1}
_CHIPS = 8


@pytest.fixture(scope="session")
def program_of() -> ProgramOf:
    """Return a maker of programs for a node: rows, trains, deskews, and the rest.

    A row has ``chip``, ``opcode``, ``start_cycle`` and ``duration_cycles``; other
    columns are -1 unless given. A deskew is a chip and its start cycle.
    """

    def make(
        rows: Sequence[Row],
        *,
        trains: Sequence[Train] = (),
        kinds: Sequence[OperatorKind] = (),
        deskews: Sequence[tuple[int, int]] = (),
        deskew_interval: int = 0,
        stall: int = 252,
        period: int = 10_000,
        sequences: int = 1,
        interval: int = 0,
        weights: Sequence[int] = (0,) * _CHIPS,
    ) -> Program:
        full = [
            {**_DEFAULTS, "slice": _SLICES[Opcode(row["opcode"])], **row}
            for row in rows
        ]
        names = ("chip", "slice", "opcode", "start_cycle", "duration_cycles")
        link = np.array(trains, dtype=np.int64).reshape(-1, 5).T
        when = np.array(deskews, dtype=np.int64).reshape(-1, 2).T
        none = np.zeros(_CHIPS, dtype=np.int64)
        return Program(
            chips=_CHIPS,
            instructions=instructions_of(
                {
                    name: np.array([row[name] for row in full], dtype=np.int64)
                    for name in (*names, *_DEFAULTS)
                }
            ),
            trains=Trains(
                link=link[0].astype(np.int32),
                vectors=link[1].astype(np.int32),
                wire_cycle=link[2],
                receive_cycle=link[3],
                previous=link[4].astype(np.int32),
            ),
            kinds=tuple(kinds),
            resident=Resident(np.array(weights, dtype=np.int64), none, none, none),
            deskews=Deskews(
                chip=when[0].astype(np.int32),
                start_cycle=when[1],
                stall_cycles=stall,
                interval_cycles=deskew_interval,
            ),
            period_cycles=period,
            token_cycles=period,
            sequences=sequences,
            interval_cycles=interval,
            leader=0,
            guard_cycles=0,
        )

    return make


@pytest.fixture(scope="session")
def ahead(compiled: Compile) -> Schedule:
    """Return a program of small tiles, two rounds of which load ahead of products.

    A round of 4 x 16 x 16 B loads in 11 cycles; products take up to sixteen rounds.
    """
    return compiled(
        2,
        4,
        chip__lanes=16,
        chip__mxm_int8_macs_per_cycle=1024,
        chip__mxm_fp16_macs_per_cycle=256,
        chip__stream_bytes_per_cycle=1024,
        chip__weight_feed_bytes_per_cycle=100,
        chip__mxm_buffer_bytes=2048,
    )
