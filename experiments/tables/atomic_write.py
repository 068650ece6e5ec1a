"""Atomic writes: a result file is replaced as a whole or not at all."""

import gzip
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from specs.errors import OutputError

if TYPE_CHECKING:
    import pandas as pd


def check_writable(folder: Path) -> None:
    """Create `folder` if it is missing, and check that tables can be written to it.

    A long run calls it first, so that the run does not end in a refusal.

    Raises
    ------
    OutputError
        If it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror}; choose another --out"
        ) from None


def csv_bytes(table: "pd.DataFrame") -> bytes:
    """Return a table as CSV bytes with the same line ends on every system."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def zipped(content: bytes) -> bytes:
    """Return a table or trace compressed by gzip; the same content, the same bytes."""
    return gzip.compress(content, compresslevel=6, mtime=0)


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a table or another result file atomically and return its path.

    A link stays: the file that it names is replaced. A device or a pipe is written to.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    try:
        if _is_written_to(path):
            path.write_bytes(content)
        else:
            _replace(path.resolve(), content)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(
            f"cannot write to {path}: {reason}; choose another --out"
        ) from None
    return path


def _is_written_to(path: Path) -> bool:
    """Return whether a result goes into what is there, a device or a pipe."""
    mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _replace(path: Path, content: bytes) -> None:
    """Write a table to a temporary file of the same folder, then rename it."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp makes a file for its owner alone; a result is for everyone.
        umask = os.umask(0)
        os.umask(umask)
        Path(draft).chmod(0o666 & ~umask)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
