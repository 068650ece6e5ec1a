"""Fault injection: refusals and cut answers on purpose, to test clients with.

``rate_limit=0.05`` refuses every twentieth request, drawn from the seed of the
endpoint: the same requests in the same order meet the same faults. A script says which
requests meet which fault, by number::

    [[fault]]
    request = 3
    count = 2
    kind = "rate_limit"
"""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, final

from pydantic import Field

from serving.wire.errors import (
    Limit,
    WireError,
    capacity_exceeded,
    over_capacity,
    rate_limited,
    server_fault,
)
from specs.errors import SpecError, nearest
from specs.validation import Spec, build, read_mapping

CUT = "disconnect"
_KINDS = ("rate_limit", "capacity", "overload", "server_error", CUT)
# Seconds that an injected refusal tells a client to wait.
_WAIT_S = 1.0
_MOST_SCRIPTED = 100_000


def parse_faults(pairs: list[str]) -> dict[str, float]:
    """Return the probability of each fault from texts such as ``rate_limit=0.05``.

    Raises
    ------
    SpecError
        If a fault is unknown, or the probabilities are none or sum to more than one.
    """
    rates: dict[str, float] = {}
    for pair in (part for text in pairs for part in text.split(",")):
        name, _, value = (part.strip() for part in pair.partition("="))
        if name not in _KINDS:
            raise SpecError(f"--inject {pair}: no such fault; {nearest(name, _KINDS)}")
        try:
            rate = float(value)
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= 1:
            raise SpecError(
                f"--inject {pair}: write a probability from 0 to 1, as in {name}=0.05"
            )
        rates[name] = rate
    if sum(rates.values()) > 1:
        raise SpecError(
            f"--inject: the probabilities sum to {sum(rates.values()):g}; make them 1 "
            f"or less together"
        )
    return rates


class ScriptedFault(Spec):
    """Fault of one request or of several in a row.

    Parameters
    ----------
    request
        Number of the first request, counted from 1 over those that are admitted.
    count
        Requests in a row that meet it.
    kind
        The fault.
    """

    request: int = Field(ge=1)
    count: int = Field(default=1, ge=1, le=_MOST_SCRIPTED)
    kind: Literal["rate_limit", "capacity", "overload", "server_error", "disconnect"]


class FaultScript(Spec):
    """Faults by the numbers of requests."""

    fault: list[ScriptedFault] = Field(min_length=1)


def read_fault_script(path: Path) -> dict[int, str]:
    """Return the fault of each request that a TOML file names.

    Raises
    ------
    SpecError
        If the file cannot be read, a fault cannot be, or a request has two.
    """
    script: dict[int, str] = {}
    for fault in build(FaultScript, read_mapping(path), str(path)).fault:
        for request in range(fault.request, fault.request + fault.count):
            if request in script:
                raise SpecError(f"{path}: request {request} has two faults; keep one")
            script[request] = fault.kind
    return script


@final
class FaultInjector:
    """Tells for each request which fault it meets, if any.

    Parameters
    ----------
    rates
        Probability of each fault.
    seed
        Seed of the draws.
    script
        Faults by the number of the request, from 1; the others are drawn.
    """

    def __init__(
        self,
        rates: Mapping[str, float],
        seed: int,
        script: Mapping[int, str] | None = None,
    ) -> None:
        self._rates = dict(rates)
        self._script = dict(script or {})
        self._random = random.Random(f"faults {seed}")
        self._requests = 0

    def next_fault(self) -> str | None:
        """Return the fault of the next request."""
        self._requests += 1
        # Drawn in any case: a script does not change what the others meet.
        at = self._random.random()
        scripted = self._script.get(self._requests)
        if scripted is not None:
            return scripted
        for name, rate in self._rates.items():
            if at < rate:
                return name
            at -= rate
        return None

    def cut_after(self, tokens: int) -> int:
        """Return the tokens after which an answer is cut."""
        return self._random.randrange(tokens)


def injected_refusal(fault: str, model: str, tier: str) -> WireError | None:
    """Return the refusal of an injected fault; none if the answer is cut instead."""
    if fault == "rate_limit":
        limit = Limit(kind="requests", name="requests per minute (RPM)", size=0)
        return rate_limited(model, tier, limit, used=0, requested=1, wait_s=_WAIT_S)
    if fault == "capacity":
        return capacity_exceeded()
    if fault == "overload":
        return over_capacity(model, 0)
    return server_fault() if fault == "server_error" else None
