"""Which links several stages take, so that their trains may meet there."""

from collections.abc import Sequence

from compiler.chain import TransportEntry
from compiler.timeline import Timeline


def contested_links(chains: Sequence[Timeline]) -> frozenset[int]:
    """Return the links that more than one stage of some chains has trains on."""
    stage = 0
    user: dict[int, int] = {}
    contested: set[int] = set()
    for chain in chains:
        for entry in chain.entries:
            if isinstance(entry, TransportEntry):
                for link in set(entry.transport.link.tolist()):
                    if user.setdefault(link, stage) != stage:
                        contested.add(link)
                stage += entry.name == "hand_over"
        stage += 1
    return frozenset(contested)
