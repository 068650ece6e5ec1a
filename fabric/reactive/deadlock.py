"""Deadlock of a network whose packets block each other permanently."""

from fabric.reactive.traffic import Journeys


def deadlock(
    blocked: dict[int, list[int]], journeys: Journeys, channel: list[int]
) -> str:
    """Return the error message of a reactive network's deadlock: buffers and remedy.

    Parameters
    ----------
    blocked
        Rows at the heads of the queues of each link.
    journeys
        Packets and their routes.
    channel
        Virtual channel of each row.
    """
    # A channel of a buffer is full, and one of its packets heads the queue of a wire.
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
