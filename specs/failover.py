"""Failover: what hosts take to find a bad node, and how the KV cache comes back."""

from typing import Literal

from pydantic import Field

from specs.host_link import HostSpec
from specs.units import PS_PER_US
from specs.validation import Spec


class FailoverSpec(Spec):
    """Failover of a program to a spare node.

    Parameters
    ----------
    kv_cache
        How the lost part of the KV cache comes back: ``recompute``, by a prefill of the
        sequences in flight, or ``mirrored``, from the copy in the next stage, to which
        every stage sends the keys and values of each token.
    agreement_us
        Time in which the hosts agree on the bad node once each has read the status of
        its chips, in us.
    timeout_us
        Time after which a host gives up reading from a chip that stopped, in us. A chip
        whose link failed answers at once.
    """

    kv_cache: Literal["recompute", "mirrored"]
    agreement_us: int = Field(ge=0)
    timeout_us: int = Field(ge=0)

    @property
    def mirrored(self) -> bool:
        """Return whether each stage keeps a copy of the KV cache of the one before."""
        return self.kv_cache == "mirrored"

    def detection_ps(self, host: HostSpec, *, chip_stopped: bool) -> int:
        """Return the time from quiet chips until the hosts know the bad node, in ps.

        Parameters
        ----------
        host
            Link from a host to its chips, over which it reads their status.
        chip_stopped
            Whether a chip does not answer.
        """
        waited_us = self.timeout_us if chip_stopped else 0
        return host.request_ps(0) + (waited_us + self.agreement_us) * PS_PER_US
