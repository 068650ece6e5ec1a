"""Host link: the rate and latency at which a host supplies its chips."""

import math

from pydantic import Field

from specs.units import PS_PER_NS
from specs.validation import Spec


class HostSpec(Spec):
    """Link from a host to its chips.

    Parameters
    ----------
    load_gb_per_s
        Rate at which a chip receives weights from its host, in 10^9 B/s.
    request_latency_ns
        Time from a request on the host to its first byte on a chip, in ns.
    """

    load_gb_per_s: float = Field(gt=0)
    request_latency_ns: int = Field(default=10_000, ge=0)

    def load_ps(self, payload_bytes: int) -> int:
        """Return the transfer time of a payload to a chip, in ps, rounded up."""
        return math.ceil(payload_bytes / self.load_gb_per_s * PS_PER_NS)

    def request_ps(self, payload_bytes: int) -> int:
        """Return the time until a request and its payload are on a chip, in ps."""
        return self.request_latency_ns * PS_PER_NS + self.load_ps(payload_bytes)
