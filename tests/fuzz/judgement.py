"""Cases in a process of their own, and what of their ends is a finding.

The process is a fork of one that has loaded the command, so that it begins at once.
"""

import os
import re
import resource
import select
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

LONGEST_S = 60.0
# A busy machine gives a process a part of its time.
_PATIENCE = 3
MOST_BYTES = 4_000_000_000
LONGEST_LINE = 1_000
CODES = (0, 2, 3)
_REFUSED = 2
# Far above what a case may take: it keeps the machine, the measurement judges.
_ADDRESS_BYTES = 6_000_000_000
# A sweep keeps what was computed although a point was refused.
_OF_SWEEPS = ("ledger.sqlite", "results.csv")
_PROGRESS = re.compile(r" of [\d,]+, .* left$")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Ended(NamedTuple):
    """End of a case.

    Attributes
    ----------
    code
        Exit code; minus the number of the signal that ended it.
    told
        What it wrote to stderr.
    took_s, peak_bytes
        Time of processors, or a third of the elapsed time if that is longer; and the
        most memory that it held.
    left
        What is wrong with the files that it left, empty if nothing.
    """

    code: int
    told: str
    took_s: float
    peak_bytes: int
    left: str = ""


class Job(NamedTuple):
    """A command line, and the folder in which it is given."""

    words: Sequence[str]
    folder: Path

    @property
    def told(self) -> Path:
        """Return the file of what the command writes to stderr."""
        return self.folder.parent / f"{self.folder.name}.stderr"


def run_cases(
    command: Callable[[], object], jobs: Sequence[Job], longest_s: float = LONGEST_S
) -> list[Ended]:
    """Return how commands ended, with time and memory of each bounded.

    They share a process, since a fork takes longer than most of them. If one ends the
    process, takes too long or too much memory, those after it get another process.
    """
    ended: list[Ended] = []
    while len(ended) < len(jobs):
        ended += _run_some(command, jobs[len(ended) :], longest_s)
    return ended


def _run_some(
    command: Callable[[], object], jobs: Sequence[Job], longest_s: float
) -> list[Ended]:
    """Return how the first of some commands ended: at least one, at most all."""
    before = [_kinds(job.folder) for job in jobs]
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _run_all(command, jobs, writer)
    os.close(writer)
    ended = []
    began = time.monotonic()
    with os.fdopen(reader) as reports:
        for job, kinds in zip(jobs, before, strict=True):
            # One line is read at a time, and the next one is written after it.
            ready, _, _ = select.select([reports], [], [], _PATIENCE * longest_s)
            line = reports.readline() if ready else ""
            code, peak, used_ms = map(int, line.split()) if line else (0, 0, 0)
            if not line:
                _end_group(child, ready=bool(ready))
                _, status = os.waitpid(child, 0)
                code = os.waitstatus_to_exitcode(status)
            now = time.monotonic()
            took_s = max(used_ms / 1000, (now - began) / _PATIENCE)
            told = job.told.read_text(encoding="utf-8", errors="replace")
            left = _disorder(kinds, _kinds(job.folder), code)
            ended.append(Ended(code, told, took_s, peak, left))
            began = now
            if not line:
                return ended
            if peak > MOST_BYTES:
                break
    _end_group(child, ready=False)
    os.waitpid(child, 0)
    return ended


def _end_group(child: int, *, ready: bool) -> None:
    """End a process and what it has started; one that is ready has ended itself."""
    if not ready:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)


def _run_all(
    command: Callable[[], object], jobs: Sequence[Job], writer: int
) -> NoReturn:
    """Run commands in this process, which ends with them, and report each end."""
    os.setpgid(0, 0)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for job in jobs:
        began = sum(os.times()[:4])
        code = _called(command, job)
        used_ms = 1000 * (sum(os.times()[:4]) - began)
        peak = max(
            resource.getrusage(whose).ru_maxrss
            for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        os.write(writer, f"{code} {peak * 1024} {used_ms:.0f}\n".encode())
    # Whoever waits has read the last report, and ends this process.
    signal.pause()
    os._exit(0)


def _called(command: Callable[[], object], job: Job) -> int:
    """Return the exit code of a command that is called in this process."""
    err = os.open(job.told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(err, 2)
    os.close(err)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", closefd=False)
    os.chdir(job.folder)
    sys.argv = ["groqrack", *job.words]
    code = 1
    try:
        command()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def run_case(
    command: Callable[[], object],
    words: Sequence[str],
    folder: Path,
    longest_s: float = LONGEST_S,
) -> Ended:
    """Return how a command ended in `folder`, in a process of its own."""
    (ended,) = run_cases(command, [Job(words, folder)], longest_s)
    return ended


def _kinds(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return kind, size and content of everything below a folder, by its name."""
    kinds = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes().hex()[:20_000]
        kinds[str(path.relative_to(folder))] = (
            stat.S_IFMT(status.st_mode),
            status.st_size if stat.S_ISREG(status.st_mode) else 0,
            content,
        )
    return kinds


def _disorder(
    before: dict[str, tuple[int, int, str]],
    after: dict[str, tuple[int, int, str]],
    code: int,
) -> str:
    """Return what is wrong with the files after a case, empty if nothing."""
    for name, (kind, *_) in before.items():
        if name not in after:
            return f"{name} is gone"
        if after[name][0] != kind:
            return f"{name} is of another kind than before"
        if code == _REFUSED and after[name] != before[name] and "ledger" not in name:
            return f"{name} was changed by a refused command"
    for name in sorted(after.keys() - before.keys()):
        if Path(name).name.startswith("."):
            return f"{name} was left half-written"
        is_file = after[name][0] == stat.S_IFREG
        if code == _REFUSED and is_file and Path(name).name not in _OF_SWEEPS:
            return f"{name} was written by a refused command"
    return ""


def finding(
    ended: Ended, longest_s: float = LONGEST_S, most_bytes: int = MOST_BYTES
) -> str:
    """Return what is wrong with the end of a case, empty if nothing is."""
    told = ended.told.strip().splitlines()
    lines = [line for line in told if not _PROGRESS.search(line)]
    # Whoever asks for much is told how much is left, and may wait.
    waits = len(lines) < len(told)
    wrong = {
        f"took more than {longest_s:g} s": ended.took_s > longest_s and not waits,
        f"took {ended.peak_bytes / 1e9:.1f} GB": ended.peak_bytes > most_bytes,
        f"traceback: {_place(lines)}": "Traceback" in ended.told,
        f"exit code {ended.code}": ended.code not in CODES and not waits,
        ended.left: bool(ended.left),
    }
    if ended.code == _REFUSED and not ended.told.startswith("Usage:"):
        first = lines[0] if lines else ""
        wrong |= {
            f"refused in {len(lines)} lines": len(lines) != 1,
            f"refused in {len(first):,} letters": len(first) >= LONGEST_LINE,
            "refused without 'error: '": not first.startswith("error: "),
            "refused with control characters": bool(_CONTROL.search(first)),
        }
    return next((what for what, is_so in wrong.items() if is_so), "")


def _place(lines: list[str]) -> str:
    """Return the last line of our own code that a traceback names, and the error."""
    ours = [
        line.split('"')[1].rsplit("/", 1)[-1]
        + ":"
        + line.split("line ")[1].split(",")[0]
        for line in lines
        if line.lstrip().startswith('File "')
        and "site-packages" not in line
        and "/lib/python" not in line
        and 'File "<' not in line
    ]
    error = lines[-1].partition(":")[0] if lines else ""
    return f"{ours[-1] if ours else '?'}: {error}"
