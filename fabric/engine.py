"""Engine of a run: what executes a compiled program on the simulated hardware."""

from collections.abc import Callable

from fabric.results.result import RunResult


def engine_named(name: str) -> Callable[..., RunResult]:
    """Return the engine of a run, loaded only now: an event loop takes time to load.

    Parameters
    ----------
    name
        ``"simpy"``, or ``"replay"``.

    Returns
    -------
    Callable
        `fabric.simulation.simulate` or `fabric.replay.replay`.
    """
    if name == "simpy":
        from fabric.simulation import simulate  # noqa: PLC0415

        return simulate
    from fabric.replay import replay  # noqa: PLC0415

    return replay
