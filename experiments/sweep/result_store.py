"""The ledger of a sweep: an SQLite file that each result enters once and for good."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, final

from specs.errors import OutputError

# "grqL", so that no other program's file is taken for a ledger.
_APPLICATION_ID = 0x6772714C
_SCHEMA = 1
_TABLE = """
CREATE TABLE outcomes (
    key TEXT PRIMARY KEY,
    scenario TEXT NOT NULL,
    outcome TEXT NOT NULL
)
"""


class Outcome(NamedTuple):
    """What came of a point.

    Parameters
    ----------
    feasible
        Whether it ran.
    reason
        Why it did not; empty if it did.
    numbers
        Those of its summary by dotted name; empty if it did not run.
    """

    feasible: bool
    reason: str
    numbers: dict[str, Any]


@final
class ResultStore:
    """Outcomes by key, in a file that survives the end of its process at any moment.

    Each outcome is a transaction of its own, on the disk before the next one: with a
    rollback journal, since SQLite allows no write-ahead log on a network disk. A key
    that is there already is left as it is, so nothing counts twice. Only the process
    that runs the sweep writes; others may read meanwhile.

    Parameters
    ----------
    path
        The file; made if it is missing. None for a ledger in memory.

    Raises
    ------
    OutputError
        If the file cannot be made, is no ledger, or another sweep is writing to it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._folder = None if path is None else _hold(path.parent)
        try:
            with self._told():
                self._database = sqlite3.connect(
                    ":memory:" if path is None else path, isolation_level=None
                )
                self._prepare()
        except BaseException:
            self._release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._release()

    def record(self, key: str, scenario: str, outcome: str) -> None:
        """Enter an outcome; it outlives this process when this returns.

        Parameters
        ----------
        key
            What the point is known by.
        scenario, outcome
            Both as JSON.

        Raises
        ------
        OutputError
            If it cannot be written; what was entered before stays.
        """
        with self._told():
            self._database.execute(
                "INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?)",
                (key, scenario, outcome),
            )

    def outcomes(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those of the points that have one, by key.

        Raises
        ------
        OutputError
            If the file cannot be read, or is damaged.
        """
        wanted = set(keys)
        with self._told():
            rows = self._database.execute("SELECT key, outcome FROM outcomes")
            found = {key: text for key, text in rows if key in wanted}
        try:
            return {key: Outcome(**json.loads(text)) for key, text in found.items()}
        except (TypeError, ValueError) as error:
            raise OutputError(
                f"{self.path} holds an outcome that is damaged: {error}; choose "
                "another --out"
            ) from None

    def _prepare(self) -> None:
        """Make the table, or check that what is there is ours before touching it."""
        ours = (_APPLICATION_ID, _SCHEMA)
        found = (self._one("PRAGMA application_id"), self._one("PRAGMA user_version"))
        fresh = self._one("SELECT count(*) FROM sqlite_master") == 0
        if not fresh and found != ours:
            self._database.close()
            raise OutputError(
                f"{self.path} is no ledger of this version; choose another --out"
            )
        self._database.execute("PRAGMA journal_mode = DELETE")
        # If the power fails the last outcome may be lost, which then runs again.
        self._database.execute("PRAGMA synchronous = FULL")
        if fresh:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_TABLE)
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.execute(f"PRAGMA user_version = {_SCHEMA}")
            self._database.execute("COMMIT")

    def _one(self, question: str) -> object:
        return self._database.execute(question).fetchone()[0]

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what SQLite says into an error that names the file and the way out."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OutputError(
                f"cannot use the ledger {self.path}: {error}; what it holds is kept: "
                "make room and run the same again, or choose another --out"
            ) from None
        except sqlite3.Error as error:
            raise OutputError(
                f"{self.path} is damaged, or no ledger: {error}; choose another --out"
            ) from None

    def _release(self) -> None:
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _hold(folder: Path) -> int | None:
    """Return a hold on a folder that ends with this process; None if it has no locks.

    Raises
    ------
    OutputError
        If another sweep holds it.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(
            f"cannot open {folder}: {error.strerror}; choose another --out"
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OutputError(
            f"another sweep is writing to {folder}; wait for it, or choose another "
            "--out"
        ) from None
    except OSError:
        # A network disk may have no locks; two sweeps then do the same work twice.
        os.close(handle)
        return None
    return handle
