"""Ledger of a sweep: an SQLite file of outcomes by key, each written once."""

import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self, final

from specs.errors import OutputError

# "grqL": marks the file, so that no file of another program is taken for a ledger.
_APPLICATION_ID = 0x6772714C
_SCHEMA = 2
_TABLE = """
CREATE TABLE outcomes (
    key TEXT PRIMARY KEY,
    scenario TEXT NOT NULL,
    outcome TEXT NOT NULL,
    checksum TEXT NOT NULL
)
"""
# An outcome that is whole stays; a damaged one makes room for what was computed again.
_RECORD = """
INSERT INTO outcomes VALUES (?1, ?2, ?3, checksum(?1, ?2, ?3))
ON CONFLICT (key) DO UPDATE
SET scenario = excluded.scenario,
    outcome = excluded.outcome,
    checksum = excluded.checksum
WHERE outcomes.checksum
    != checksum(outcomes.key, outcomes.scenario, outcomes.outcome)
"""
_READ = """
SELECT key, scenario, outcome FROM outcomes
WHERE checksum = checksum(key, scenario, outcome)
"""


class Outcome(NamedTuple):
    """Outcome of a point: its numbers, or the reason of its refusal.

    Parameters
    ----------
    feasible
        Whether it ran.
    reason
        Why it did not run; empty if it did.
    numbers
        Numbers of its summary by dotted name; empty if it did not run.
    """

    feasible: bool
    reason: str
    numbers: dict[str, Any]


@final
class ResultStore:
    """Store of outcomes by key, in a file that stays whole if its process is killed.

    Each outcome is a transaction that is on the disk before the next one begins. The
    journal is a rollback journal, since SQLite allows no write-ahead log on a network
    disk. An existing key is not overwritten, unless its outcome is damaged: each has a
    checksum, and one that does not match is as if it were not there. Only the process
    that runs the sweep writes; others may read at the same time.

    Parameters
    ----------
    path
        The file, created if it is missing. None for a ledger in memory.

    Raises
    ------
    OutputError
        If the file cannot be created, is no ledger, or another sweep writes to it.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._folder = None if path is None else _lock(path.parent)
        try:
            with self._explained_errors():
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
        """Write an outcome; when this returns, it is on the disk.

        Parameters
        ----------
        key
            Key of the point.
        scenario, outcome
            Both as JSON.

        Raises
        ------
        OutputError
            If it cannot be written; earlier outcomes stay.
        """
        with self._explained_errors():
            self._database.execute(_RECORD, (key, scenario, outcome))

    def outcomes(self, keys: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of the points that have a whole one, by key.

        Raises
        ------
        OutputError
            If the file cannot be read, or is damaged as a whole.
        """
        wanted = set(keys)
        with self._explained_errors():
            rows = self._database.execute(_READ)
            found = {key: text for key, _, text in rows if key in wanted}
        return {key: Outcome(**json.loads(text)) for key, text in found.items()}

    def copy_to(self, other: "ResultStore", keys: Collection[str]) -> None:
        """Copy the whole outcomes of some points to another store, as they are.

        Raises
        ------
        OutputError
            If one of the files cannot be used.
        """
        with self._explained_errors():
            rows = self._database.execute(_READ).fetchall()
        for key, scenario, outcome in rows:
            if key in keys:
                other.record(key, scenario, outcome)

    def _prepare(self) -> None:
        """Create the table, or check that the file is a ledger of this version."""
        ours = (_APPLICATION_ID, _SCHEMA)
        found = (self._one("PRAGMA application_id"), self._one("PRAGMA user_version"))
        fresh = self._one("SELECT count(*) FROM sqlite_master") == 0
        if not fresh and found != ours:
            self._database.close()
            raise OutputError(
                f"{self.path} is no ledger of this version; choose another --out"
            )
        self._database.create_function("checksum", 3, _checksum, deterministic=True)
        self._database.execute("PRAGMA journal_mode = DELETE")
        # A power failure may lose the last outcome; its point then runs again.
        self._database.execute("PRAGMA synchronous = FULL")
        if fresh:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute(_TABLE)
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.execute(f"PRAGMA user_version = {_SCHEMA}")
            self._database.execute("COMMIT")

    def _one(self, query: str) -> object:
        """Return the single value of a query."""
        return self._database.execute(query).fetchone()[0]

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        """Turn errors of SQLite into an `OutputError` with the file and a remedy."""
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
        """Release the lock on the folder."""
        if self._folder is not None:
            os.close(self._folder)
            self._folder = None


def _checksum(*values: object) -> str:
    """Return the SHA-256 of the values of an outcome's row, each with its length."""
    content = "".join(f"{len(str(value))}:{value}" for value in values)
    return hashlib.sha256(content.encode()).hexdigest()


def _lock(folder: Path) -> int | None:
    """Return a lock on a sweep's folder, gone with this process; None if unsupported.

    Raises
    ------
    OutputError
        If another sweep holds the lock.
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
        # A network disk may have no locks; two sweeps then run the same points twice.
        os.close(handle)
        return None
    return handle
