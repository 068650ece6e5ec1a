"""One tensor streaming processor: its clock, its counters, its timing, its program."""

from chip.clock import Clock
from chip.hac import AlignedCounter
from chip.program import Instructions, Program, Trains

__all__ = ["AlignedCounter", "Clock", "Instructions", "Program", "Trains"]
