from collections.abc import Callable

import numpy as np

from compiler.ir.schedule import Schedule
from fabric.functional_engine.events import events_of


def test_events_follow_their_cycles_and_messages_take_as_long_as_their_links(
    compiled: Callable[..., Schedule],
) -> None:
    program = compiled(2, 2).program
    flow = program.dataflow
    assert flow is not None
    events = events_of(program, flow)
    assert [each.cycle for each in events] == sorted(each.cycle for each in events)
    operations = [each for each in events if not each.is_message]
    assert len(operations) == len(flow.operations)
    first = events[0]
    assert flow.names[flow.operations.name[first.number]] == "embedding.lookup"
    # The least time on a link is longer than a train of one vector.
    waits = [each.end_cycle - each.cycle for each in events if each.is_message]
    assert len(waits) == len(flow.messages)
    assert min(waits) > 100


def test_a_message_over_a_relay_arrives_with_its_last_hop(
    compiled: Callable[..., Schedule],
) -> None:
    program = compiled(8, 1, topology="torus:2x4").program
    flow = program.dataflow
    assert flow is not None
    hops = np.bincount(flow.train_message, minlength=len(flow.messages))
    spans = {
        each.number: each.end_cycle - each.cycle
        for each in events_of(program, flow)
        if each.is_message
    }
    near, far = (
        [spans[n] for n in np.flatnonzero(hops == count).tolist()] for count in (1, 2)
    )
    assert far
    assert min(far) > min(near)
