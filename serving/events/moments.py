"""Moments: events of one cycle in the order in which a replica takes them.

First what ends, then what arrives, then what starts.
"""

from typing import final

from simpy import Environment, Event

# SimPy's own timeouts have priority 1.
ARRIVE, START = 2, 3


@final
class Moment(Event):
    """Event at a cycle, among others of that cycle by priority.

    Parameters
    ----------
    env
        Environment; its time is in cycles.
    cycle
        When it happens, not in the past.
    priority
        `ARRIVE` or `START`.
    """

    def __init__(self, env: Environment, cycle: int, priority: int) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, priority, cycle - int(env.now))  # type: ignore[arg-type]
