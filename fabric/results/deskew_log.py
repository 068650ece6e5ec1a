"""Log of the RUNTIME_DESKEWs of a segment, kept as sums and a hash."""

import hashlib
from typing import final

import numpy as np

from specs.arrays import Ints


@final
class DeskewLog:
    """Sums of deskews by chip, accumulated by period in constant memory.

    Parameters
    ----------
    chips
        Chips of the machine.
    in_period
        Deskews of all chips together in a whole period.

    Attributes
    ----------
    count, removed, most_removed
        Deskews of each chip, the drift that all of them removed, and the largest
        absolute drift that one removed, in cycles, shape ``(chips,)``.
    """

    def __init__(self, chips: int, in_period: int) -> None:
        self.count = np.zeros(chips, dtype=np.int64)
        self.removed = np.zeros(chips, dtype=np.int64)
        self.most_removed = np.zeros(chips, dtype=np.int64)
        self._in_period = in_period
        self._open: dict[int, list[tuple[int, int, int]]] = {}
        self._digests: dict[int, bytes] = {}
        self._state = hashlib.sha256()
        self._hashed = 0

    @property
    def total(self) -> int:
        """Return the number of deskews."""
        return int(self.count.sum())

    def add(self, period: int, chip: int, start_ps: int, removed_cycles: int) -> None:
        """Add one deskew; a period is summed once it has the deskews of all chips."""
        rows = self._open.setdefault(period, [])
        rows.append((chip, start_ps, removed_cycles))
        if len(rows) == self._in_period:
            del self._open[period]
            self.add_period(period, np.array(rows, dtype=np.int64))

    def add_period(self, period: int, rows: Ints) -> None:
        """Add all deskews of a period.

        Parameters
        ----------
        period
            Its number; each is added once.
        rows
            Chip, start in ps and removed cycles of each, those of one chip in order
            of time, shape ``(deskews, 3)``.
        """
        chip, _, removed = rows.T
        self.count += np.bincount(chip, minlength=len(self.count))
        np.add.at(self.removed, chip, removed)
        np.maximum.at(self.most_removed, chip, np.abs(removed))
        # Those of one chip are in order of time already.
        rows = rows[np.argsort(chip, kind="stable")]
        self._digests[period] = hashlib.sha256(rows.tobytes()).digest()
        while self._hashed in self._digests:
            self._state.update(self._digests.pop(self._hashed))
            self._hashed += 1

    def digest(self) -> bytes:
        """Return a hash over all deskews, at the end of the segment."""
        for period in sorted(self._open):
            # The last periods, and those with a stopped chip, are incomplete.
            rows = self._open.pop(period)
            self.add_period(period, np.array(rows, dtype=np.int64))
        state = self._state.copy()
        for period in sorted(self._digests):
            state.update(self._digests[period])
        return state.digest()
