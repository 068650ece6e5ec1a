"""The simulated hardware: drifting chips, jittering links, and programs that run."""

from fabric.results.result import RunResult
from fabric.simulation import simulate

__all__ = ["RunResult", "simulate"]
