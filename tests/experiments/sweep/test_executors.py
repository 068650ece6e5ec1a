"""Executors of a sweep: their names, and signals while processes start."""

import signal

import pytest

from experiments.sweep.executors import (
    executor_named,
    local_executor,
    without_interrupt,
)
from specs.errors import SpecError, SweepError


def test_local_processes_have_a_point_each_and_one_in_reserve() -> None:
    assert executor_named("local", 3).ahead == local_executor(3).ahead == 6


def test_a_cluster_takes_many_points_in_advance() -> None:
    assert executor_named("dask:tcp://127.0.0.1:1", 1).ahead == 1_000


@pytest.mark.parametrize("name", ["threads", "dask:", "tcp://127.0.0.1:1"])
def test_an_executor_that_is_neither_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"--executor {name}: write local, or dask:"):
        executor_named(name, 1)


def test_a_cluster_on_tls_needs_certificates() -> None:
    factory = executor_named("dask:tls://127.0.0.1:1", 1)
    with (
        pytest.raises(SweepError, match="Dask has no certificates for TLS; name them"),
        factory.open(),
    ):
        pass


def test_a_pool_runs_what_it_is_given() -> None:
    with local_executor(1).open() as executor:
        assert executor.submit(pow, 2, 10).result() == 1024


def test_an_interrupt_is_delayed_to_the_end_of_the_context() -> None:
    reached = []

    def interrupted() -> None:
        with without_interrupt():
            # To this thread: another one would take it at once.
            signal.raise_signal(signal.SIGINT)
            reached.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached == [True]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
