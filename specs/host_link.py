"""The host: what feeds the chips from outside."""

import math

from pydantic import Field

from specs.units import PS_PER_NS
from specs.validation import Spec


class HostSpec(Spec):
    """What feeds the chips from outside.

    Parameters
    ----------
    load_gb_per_s
        Rate at which each chip gets weights from its host, in 10^9 B/s.
    request_latency_ns
        From a request on the host to its first byte on a chip.
    """

    load_gb_per_s: float = Field(gt=0)
    request_latency_ns: int = Field(default=10_000, ge=0)

    def load_ps(self, payload_bytes: int) -> int:
        """Return how long a chip takes to get a payload, rounded up."""
        return math.ceil(payload_bytes / self.load_gb_per_s * PS_PER_NS)

    def request_ps(self, payload_bytes: int) -> int:
        """Return how long a request with a payload takes to be on a chip."""
        return self.request_latency_ns * PS_PER_NS + self.load_ps(payload_bytes)
