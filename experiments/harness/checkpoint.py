"""Parts of an experiment that outlive an interruption, so that it can go on."""

import hashlib
import json
from collections.abc import Callable
from typing import final

from experiments.run.version import VERSION
from experiments.sweep.point import point_key
from experiments.sweep.result_store import ResultStore
from experiments.tables.columns import TableRow
from specs.scenario import Scenario

Argument = Scenario | str | int | tuple[int, ...]


@final
class Checkpoint:
    """Results of functions by what they were asked, entered in a ledger at once.

    Parameters
    ----------
    ledger
        Where they are entered.

    Attributes
    ----------
    known, asked
        Parts that were in the ledger already, and all of them.
    """

    def __init__(self, ledger: ResultStore) -> None:
        self.known = 0
        self.asked = 0
        self._ledger = ledger

    def result(
        self, function: Callable[..., TableRow], *arguments: Argument
    ) -> TableRow:
        """Return what a function returns, from the ledger if it is there.

        A result is known by the name of the function, its arguments and the version of
        this program; of a scenario by `point_key`.

        Parameters
        ----------
        function
            Returns a row of JSON's types, with a `reason` if it has one to refuse.
        arguments
            Its arguments: all that the result depends on.

        Raises
        ------
        OutputError
            If the ledger cannot be written.
        """
        name = f"{function.__module__}.{function.__qualname__}"
        asked = json.dumps([VERSION, name, *arguments], default=_scenario)
        key = hashlib.sha256(asked.encode()).hexdigest()
        self.asked += 1
        known = self._ledger.outcomes([key])
        if key in known:
            self.known += 1
            return known[key].numbers
        row = function(*arguments)
        outcome = {
            "feasible": bool(row.get("feasible", True)),
            "reason": str(row.get("reason", "")),
            "numbers": row,
        }
        text = json.dumps(outcome)
        self._ledger.record(key, asked, text)
        # What was just made is what would be read again.
        numbers: TableRow = json.loads(text)["numbers"]
        return numbers


def _scenario(argument: object) -> str:
    assert isinstance(argument, Scenario)
    return point_key(argument)
