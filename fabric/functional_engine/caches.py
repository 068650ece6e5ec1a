"""KV caches: keys and values of earlier positions, in the memory of each chip."""

from typing import NamedTuple, final

import numpy as np

from fabric.functional_engine.memory import Array
from fabric.functional_engine.states import RecurrentStates
from specs.arrays import Ints
from specs.errors import VerificationError


class CachedColumns(NamedTuple):
    """Cached columns of keys or values on a chip.

    Attributes
    ----------
    positions
        Positions that are there, ascending, shape ``(positions,)``.
    array
        Their numbers, shape ``(batch, positions, columns)``.
    """

    positions: Ints
    array: Array


@final
class KeyValueCaches:
    """KV caches of all chips, which stay from program to program.

    A chip that shares the context of its heads with others keeps the positions whose
    remainder by the number of chips is its own number.

    Attributes
    ----------
    states
        What linear attention keeps instead.
    """

    def __init__(self) -> None:
        self.states = RecurrentStates()
        self._held: dict[tuple[int, str, int, int], CachedColumns] = {}

    def latents(
        self, chip: int, name: str, new: Array, *, first_position: int
    ) -> CachedColumns:
        """Return the latents that a chip attends to: its cache and the new ones.

        The first operator of a pass that reads them puts the new ones into the cache.

        Parameters
        ----------
        chip, name, new, first_position
            As for `extend`.

        Raises
        ------
        VerificationError
            If earlier positions are not in the cache, or others than the new ones are
            behind them.
        """
        columns = (0, new.shape[2])
        held = self._held.get((chip, name, *columns))
        if held is None or len(held.positions) <= first_position:
            return self.extend(
                chip,
                name,
                new,
                columns=columns,
                first_position=first_position,
                share=(0, 1),
                window=None,
            )
        if not np.array_equal(held.array[:, first_position:], new):
            raise VerificationError(
                f"chip {chip} attends to new rows of {name} that differ from those "
                f"which an operator before it put into the cache"
            )
        return held

    def extend(
        self,
        chip: int,
        name: str,
        new: Array,
        *,
        columns: tuple[int, int],
        first_position: int,
        share: tuple[int, int],
        window: int | None,
    ) -> CachedColumns:
        """Return what a chip attends to: its cache and its part of the new positions.

        Parameters
        ----------
        chip, name
            The chip, and the name of the cache.
        new
            Keys or values of the new positions, shape ``(batch, positions, columns)``.
        columns
            Range of columns, end exclusive.
        first_position
            Position of the first of them.
        share
            Number of the chip among those that share the context, and their number.
        window
            Positions that a later query attends to, itself included; others are
            forgotten. None to keep all.

        Raises
        ------
        VerificationError
            If earlier positions are not in the cache.
        """
        member, members = share
        key = (chip, name, *columns)
        batch, count, width = new.shape
        fresh = np.arange(first_position, first_position + count)
        own = fresh % members == member
        earlier = np.arange(member, first_position, members)
        if window is not None:
            earlier = earlier[earlier > first_position - window]
        held = self._held.get(key)
        if held is None:
            nothing = np.zeros((batch, 0, width), dtype=new.dtype)
            held = CachedColumns(np.zeros(0, dtype=np.int64), nothing)
        if not np.array_equal(held.positions, earlier):
            raise VerificationError(
                f"chip {chip} attends to {len(earlier)} earlier positions of {name}, "
                f"columns {columns[0]}-{columns[1] - 1}, and its cache has "
                f"{len(held.positions)} of them"
            )
        grown = CachedColumns(
            np.concatenate([held.positions, fresh[own]]),
            np.concatenate([held.array, new[:, own]], axis=1),
        )
        kept = grown
        if window is not None:
            near = grown.positions > first_position + count - window
            kept = CachedColumns(grown.positions[near], grown.array[:, near])
        self._held[key] = kept
        return grown
