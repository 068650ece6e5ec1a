"""Checkpoint of an experiment: finished parts from which a later run resumes."""

import hashlib
import json
from collections.abc import Callable
from typing import final

from experiments.run.version import VERSION
from experiments.sweep.point import point_key
from experiments.sweep.result_store import ResultStore
from experiments.tables.columns import TableRow
from specs.progress import progress_as_part, report_progress
from specs.scenario import Scenario

Argument = Scenario | str | int | tuple[int, ...]


@final
class Checkpoint:
    """Checkpoint: results of functions by their arguments, written at once to a ledger.

    Parameters
    ----------
    ledger
        Store of the results.

    Attributes
    ----------
    known, asked
        Results that the ledger had already, and all that were asked for.
    """

    def __init__(self, ledger: ResultStore) -> None:
        self.known = 0
        self.asked = 0
        self._ledger = ledger

    def result(
        self, function: Callable[..., TableRow], *arguments: Argument
    ) -> TableRow:
        """Return the result of a function, from the ledger if it has it.

        The key of a result is the name of the function, its arguments and the version
        of this program. An argument that is a scenario counts by its `point_key`.

        Parameters
        ----------
        function
            Returns a row of JSON's types, with a `reason` if it refuses.
        arguments
            Its arguments; the result must depend on nothing else.

        Raises
        ------
        OutputError
            If the ledger cannot be written.
        """
        name = f"{function.__module__}.{function.__qualname__}"
        asked = json.dumps([VERSION, name, *arguments], default=_scenario)
        key = hashlib.sha256(asked.encode()).hexdigest()
        self.asked += 1
        report_progress("parts", self.asked)
        known = self._ledger.outcomes([key])
        if key in known:
            self.known += 1
            return known[key].numbers
        with progress_as_part(f"part {self.asked:,}"):
            row = function(*arguments)
        outcome = {
            "feasible": bool(row.get("feasible", True)),
            "reason": str(row.get("reason", "")),
            "numbers": row,
        }
        text = json.dumps(outcome)
        self._ledger.record(key, asked, text)
        # Return what a resumed run would read, after the round trip through JSON.
        numbers: TableRow = json.loads(text)["numbers"]
        return numbers


def _scenario(argument: object) -> str:
    """Return the key of a scenario in a script's checkpoint, for JSON."""
    assert isinstance(argument, Scenario)
    return point_key(argument)
