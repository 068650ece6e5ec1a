"""Executors of a sweep: processes of this computer, or workers of a Dask cluster."""

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
# Timeout of the connection to a scheduler, which takes 10 ms on loopback.
_ANSWER_S = 10
# Loggers of Dask and of the libraries below it, which log tracebacks.
_DASK_LOGGERS = ("distributed", "distributed.client", "tornado.application", "asyncio")
# Interval at which a cluster is asked whether it has workers.
_PULSE_S = 5.0
# Points submitted to a cluster in advance: enough for each thread of a large one.
_DASK_AHEAD = 1_000


class ExecutorFactory(NamedTuple):
    """Factory of executors that run points.

    Parameters
    ----------
    open
        Opens an executor; an exception in its context ends the running points.
    ahead
        Points to submit before the first one is done.
    """

    open: Callable[[], AbstractContextManager[Executor]]
    ahead: int


def executor_named(name: str, jobs: int) -> ExecutorFactory:
    """Return the factory of what runs a sweep's points, named by ``--executor``.

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
        return local_executor(jobs)
    address = name.removeprefix(_DASK)
    if not name.startswith(_DASK) or not address:
        raise SpecError(
            f"--executor {name}: write local, or dask:ADDRESS as in "
            "dask:tcp://127.0.0.1:8786"
        )
    return ExecutorFactory(lambda: _dask(address), _DASK_AHEAD)


def local_executor(jobs: int) -> ExecutorFactory:
    """Return a sweep's process pool factory, with one point queued for each process."""
    return ExecutorFactory(lambda: _processes(jobs), 2 * jobs)


@contextmanager
def without_interrupt() -> Iterator[None]:
    """Delay Ctrl-C while a sweep starts a process, which then never receives it.

    A terminal sends the signal to every process of the command, but only the first one
    can end the sweep in order.
    """
    # Its start on first use would unblock the signal.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _processes(jobs: int) -> Iterator[Executor]:
    """Open a sweep's pool of processes that end with this one, however it ends.

    They are spawned, not forked, since a fork copies locks that another thread holds.
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
        # A second Ctrl-C must not interrupt the shutdown.
        with without_interrupt():
            executor.shutdown(wait=True, cancel_futures=True)
        ours.close()
        theirs.close()


def _end_with(lifeline: Connection) -> None:
    """End a sweep's process as soon as the other end of the lifeline is closed.

    Without it a process of a pool waits for work for ever if its parent is killed.
    """

    def watch() -> None:
        wait([lifeline])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    """Open a sweep's executor on the workers of a Dask scheduler."""
    try:
        from distributed import Client, Security  # noqa: PLC0415
    except ImportError:
        raise SweepError(
            "--executor dask:ADDRESS needs Dask: install the extra `dist` of this "
            "package, here and on the cluster"
        ) from None
    secured = Security().get_connection_args("client").get("ssl_context")
    if address.startswith("tls://") and secured is None:
        raise SweepError(
            f"{address}: Dask has no certificates for TLS; name them in "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._CLIENT__CERT and ..._CLIENT__KEY"
        )
    # Errors of the sweep are reported in a line, without the tracebacks of Dask.
    for name in _DASK_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SweepError(
            f"no Dask scheduler answers at {address}: {_first_line(error)}; start one "
            "with: dask scheduler --host 127.0.0.1 --no-dashboard"
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
            target=_report_missing_workers, args=(client, address, over), daemon=True
        )
        watch.start()
        try:
            yield executor
        finally:
            over.set()
            executor.shutdown(wait=False)
            watch.join()


def _report_missing_workers(client: Any, address: str, over: threading.Event) -> None:
    """Report when a sweep has no worker left: Dask then waits without a message."""
    reported = False
    while not over.wait(_PULSE_S):
        try:
            without_workers = not client.nthreads()
        except (OSError, TimeoutError):
            # The scheduler is gone, which ends the sweep elsewhere.
            return
        if without_workers and not reported:
            print(
                f"sweep: the cluster at {address} has no workers left and points wait "
                f"for one; start it with: dask worker {address}",
                file=sys.stderr,
            )
        reported = without_workers


def _first_line(error: Exception) -> str:
    """Return the first line of a sweep's error, or its type if it has no text."""
    return (str(error).splitlines() or [type(error).__name__])[0]
