"""The static schedule: every instruction and vector at its cycle, and the proof."""

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.verify import Certificate, verify

__all__ = ["Certificate", "Schedule", "compile_token", "verify"]
