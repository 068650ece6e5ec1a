"""Costs of the experiments: seconds of processor time, measured."""

import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Seconds of processor time of an experiment, start included.

    Attributes
    ----------
    quick_s
        With ``--quick``.
    full_s
        In full; None where it was not measured.
    at_least
        Whether the run in full had not ended when it was stopped after `full_s`.
    """

    quick_s: int
    full_s: int | None = None
    at_least: bool = False

    @property
    def full(self) -> str:
        """Return the cost in full as the table of the documentation has it."""
        if self.full_s is None:
            return "not measured"
        return f"> {self.full_s}" if self.at_least else str(self.full_s)

    def __str__(self) -> str:
        """Return the cost as a phrase.

        >>> str(Cost(3, 36)), str(Cost(3, 39, at_least=True)), str(Cost(3))
        ('36 s, --quick 3 s', 'more than 39 s, --quick 3 s', 'minutes, --quick 3 s')
        """
        full = "minutes"
        if self.full_s is not None:
            full = f"{'more than ' * self.at_least}{self.full_s} s"
        return f"{full}, --quick {self.quick_s} s"


@cache
def costs() -> dict[str, Cost]:
    """Return the cost of each experiment by its name."""
    path = Path(__file__).with_suffix(".toml")
    return {name: Cost(**row) for name, row in tomllib.loads(path.read_text()).items()}
