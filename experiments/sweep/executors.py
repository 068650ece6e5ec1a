"""Where the points of a sweep run: processes of this computer, or a Dask cluster."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from specs.errors import SpecError, SweepError

_DASK = "dask:"
# How long a scheduler may take to answer; on loopback it takes 10 ms.
_ANSWER_S = 10
# Loggers of Dask, which sets a level of its own for some, and of what it is built on.
_TALKATIVE = ("distributed", "distributed.client", "tornado.application", "asyncio")
# How often a cluster is asked whether it has workers.
_PULSE_S = 5.0
# Points handed to a cluster ahead of time: enough for every thread of a large one.
_DASK_AHEAD = 1_000


class ExecutorFactory(NamedTuple):
    """Where points run.

    Parameters
    ----------
    open
        Opens an executor; leaving it by an exception ends what is running.
    ahead
        Points to hand to it before the first is done.
    """

    open: Callable[[], AbstractContextManager[Executor]]
    ahead: int


def crew_named(name: str, jobs: int) -> ExecutorFactory:
    """Return the crew of an ``--executor``.

    Parameters
    ----------
    name
        ``local``, or ``dask:`` and the address of a scheduler.
    jobs
        Processes of this computer.

    Raises
    ------
    SpecError
        If the name is neither.
    """
    if name == "local":
        return local_crew(jobs)
    address = name.removeprefix(_DASK)
    if not name.startswith(_DASK) or not address:
        raise SpecError(
            f"--executor {name}: write local, or dask:ADDRESS as in "
            "dask:tcp://127.0.0.1:8786"
        )
    return ExecutorFactory(lambda: _dask(address), _DASK_AHEAD)


def local_crew(jobs: int) -> ExecutorFactory:
    """Return processes of this computer, one spare point for each to go on with."""
    return ExecutorFactory(lambda: _processes(jobs), 2 * jobs)


@contextmanager
def without_interrupt() -> Iterator[None]:
    """Put off Ctrl-C; a process started meanwhile never sees it.

    A terminal sends it to every process of the command, but only the first one knows
    what to keep.
    """
    # Starting this one, on first use, would end the delay.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    """Open a pool of fresh processes that end when this one does, however it does.

    They are spawned, not forked: a fork copies locks that another thread holds.
    """
    context = multiprocessing.get_context("spawn")
    theirs, ours = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_end_with, initargs=(theirs,)
    )
    try:
        yield executor
    except BaseException:
        ours.close()
        raise
    finally:
        # Who presses Ctrl-C again while processes end learns nothing more.
        with without_interrupt():
            executor.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


def _end_with(lifeline: Connection) -> None:
    """End this process as soon as the other end of the lifeline is closed.

    A pool's process waits for work for ever if its parent is killed.
    """

    def watch() -> None:
        wait([lifeline])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client  # noqa: PLC0415
    except ImportError:
        raise SweepError(
            "--executor dask:ADDRESS needs Dask: install the extra `dist` of this "
            "package, here and on the cluster"
        ) from None
    # What concerns the sweep is said in a line; Dask adds tracebacks of its own.
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"no Dask scheduler answers at {address}: {_first_line(error)}; start one "
            "with: dask scheduler"
        ) from None
    with client:
        if not client.nthreads():
            raise SweepError(
                f"the Dask scheduler at {address} has no workers; start one with: "
                f"dask worker {address}"
            )
        executor = client.get_executor(pure=False)
        over = threading.Event()
        watch = threading.Thread(
            target=_tell_without_workers, args=(client, address, over), daemon=True
        )
        watch.start()
        try:
            yield executor
        finally:
            over.set()
            executor.shutdown(wait=False)
            watch.join()


def _tell_without_workers(client: Any, address: str, over: threading.Event) -> None:
    """Say that no worker is left, for which points wait without a word from Dask."""
    told = False
    while not over.wait(_PULSE_S):
        try:
            alone = not client.nthreads()
        except (OSError, TimeoutError):
            # The scheduler has gone, which ends the sweep.
            return
        if alone and not told:
            print(
                f"sweep: the cluster at {address} has no workers left and points wait "
                f"for one; start it with: dask worker {address}",
                file=sys.stderr,
            )
        told = alone


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
