"""The static schedule: every instruction and vector at its cycle, and the proof."""

from compiler.schedule import Schedule
from compiler.token import compile_token
from compiler.verify import Certificate, verify

__all__ = ["Certificate", "Schedule", "compile_token", "verify"]
