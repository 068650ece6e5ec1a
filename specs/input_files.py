"""Input files: the text of a regular file, in the encoding that its mark tells."""

import codecs
import os
import stat
from pathlib import Path

from specs.errors import SpecError
from specs.units import BYTES_PER_MB

# A table of the 57,420 cables of the largest machine has 2 MB, a plan of it 200 MB.
LARGEST_FILE_BYTES = 1_000 * BYTES_PER_MB
# As programs that write UTF-16 begin their files; UTF-8 has a mark of its own.
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
# A name that is longer tells nothing more and fills the terminal.
_SHOWN_LETTERS = 80


def shown(text: object) -> str:
    """Return a name for a message about an input, in quotes and cut if it is long.

    >>> shown("llama-2-70b")
    "'llama-2-70b'"
    """
    return shortened(repr(str(text)))


def shortened(text: str) -> str:
    """Return a value for a message about an input, cut if it is long."""
    if len(text) <= _SHOWN_LETTERS:
        return text
    return f"{text[:_SHOWN_LETTERS]}... ({len(text):,} letters)"


def is_there(path: Path) -> bool:
    """Return whether an input file or folder has this name, which may be no valid one.

    >>> is_there(Path("x" * 5000)), is_there(Path("a" + chr(0)))
    (False, False)
    """
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_text(path: Path) -> str:
    """Return the text of an input file.

    It is UTF-8, with or without a mark, or UTF-16 with its mark.

    Raises
    ------
    SpecError
        If there is no such file, it is no regular one, is larger than 1 GB, or is in
        another encoding; then the message names the row.
    """
    check_file(path, LARGEST_FILE_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror}") from None
    return _decoded(path, content)


def check_file(path: Path, most_bytes: int) -> None:
    """Refuse an input file that is not there, is no regular one, or is too large.

    Raises
    ------
    SpecError
        If it is; what is no regular file may never end.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        folder = path.absolute().parent
        raise SpecError(f"no file {path} (looked in {folder})") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"no file can have the name {shown(path)}: {error}") from None
    _check_kind(path, status, most_bytes)


def _check_kind(path: Path, status: os.stat_result, most_bytes: int) -> None:
    """Refuse what is no regular file, which may never end, and what is too large."""
    if not stat.S_ISREG(status.st_mode):
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "no file")
        raise SpecError(f"{path}: is {kind}; give a regular file")
    if status.st_size > most_bytes:
        raise SpecError(
            f"{path}: has {status.st_size:,} bytes, and inputs have at most "
            f"{most_bytes:,}; is it the right file?"
        )


def _decoded(path: Path, content: bytes) -> str:
    """Return an input file's bytes as text."""
    utf_16 = content.startswith(_UTF_16_MARKS)
    try:
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise SpecError(
            f"{path}: row {row}: not UTF-{16 if utf_16 else 8} (byte "
            f"0x{content[error.start]:02x}); save the file as UTF-8"
        ) from None
