"""Shared links: those that exchanges of a stage share with other transfers.

A link that only the exchanges of one stage use is free whenever these are, one at a
time. All others are reserved cycle by cycle.
"""

from collections.abc import Callable, Iterable, Sequence

from compiler.ir.timeline import TransportEntry
from compiler.ir.transfers import Transport
from compiler.prefill.chunk_steps import STAGE_TRANSFER, TOKEN_RETURN, ChunkStep
from compiler.prefill.link_spans import LinkUse
from compiler.prefill.stage_transfers import TransferPart

# Token returns are no exchange of the last stage.
_RETURN = -1


def shared_links(
    chunks: Iterable[Sequence[Sequence[ChunkStep]]],
    parts_of: Callable[[Transport], list[TransferPart]],
) -> frozenset[int]:
    """Return the links that exchanges share with other stages or with transfers.

    Parameters
    ----------
    chunks
        Steps of each chunk in each stage.
    parts_of
        Returns the parts in which the messages of a stage transfer are sent.
    """
    user: dict[int, int] = {}
    shared: set[int] = set()
    # Equal phases of chunks share a transport.
    for name, number, transport in _transports(chunks):
        if name == STAGE_TRANSFER:
            for part in parts_of(transport):
                shared.update(part.links)
            continue
        own = _RETURN if name == TOKEN_RETURN else number
        for link in set(transport.link.tolist()):
            if user.setdefault(link, own) != own:
                shared.add(link)
    return frozenset(shared)


def _transports(
    chunks: Iterable[Sequence[Sequence[ChunkStep]]],
) -> list[tuple[str, int, Transport]]:
    """Return each transport of a stage once, with its name and stage."""
    found = {
        (number, id(step.entry.transport)): (
            step.entry.name,
            number,
            step.entry.transport,
        )
        for stages in chunks
        for number, steps in enumerate(stages)
        for step in steps
        if isinstance(step.entry, TransportEntry)
    }
    return list(found.values())


def link_uses(transport: Transport, links: frozenset[int]) -> list[LinkUse]:
    """Return the uses of some links, in cycles from the start of a transfer."""
    ends = transport.wire_cycle + transport.serialisation_cycles
    rows = zip(
        transport.link.tolist(),
        transport.wire_cycle.tolist(),
        ends.tolist(),
        strict=True,
    )
    return [LinkUse(*row) for row in rows if row[0] in links]
