"""What to say of a network whose packets block each other for good."""

from fabric.reactive.traffic import Journeys


def deadlock(
    blocked: dict[int, list[int]], journeys: Journeys, channel: list[int]
) -> str:
    """Return which buffers wait for each other, in a circle, and the way out.

    Parameters
    ----------
    blocked
        Rows that stand first in the queues of each link.
    journeys
        Packets and their ways.
    channel
        Virtual channel of each row.
    """
    # A channel of a buffer is full, and some packet in it stands first for its wire.
    waits_for: dict[tuple[int, int], tuple[int, int]] = {}
    for rows in blocked.values():
        for row in rows:
            if journeys.hop[row]:
                held = int(journeys.link[row - 1]), channel[row - 1]
                waits_for.setdefault(held, (int(journeys.link[row]), channel[row]))
    buffer = next(iter(waits_for))
    seen: list[tuple[int, int]] = []
    while buffer not in seen:
        seen.append(buffer)
        buffer = waits_for[buffer]
    circle = [*seen[seen.index(buffer) :], buffer]
    names = " waits for ".join(f"link {link} channel {vc}" for link, vc in circle)
    count = sum(len(rows) for rows in blocked.values())
    return (
        f"deadlock: {count} queues wait for a place that never gets free; {names}; "
        f"set virtual_channels to {journeys.most_hops}, one for each link of the "
        f"longest way"
    )
