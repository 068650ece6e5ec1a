from itertools import pairwise

import numpy as np
import simpy

from fabric.runtime.segment import Segment
from fabric.simpy_engine.link import Link
from fabric.simpy_engine.loader import load_steps
from fabric.simpy_engine.processor import ProcessorStep


def links_of(segment: Segment) -> dict[int, Link]:
    env = simpy.Environment()
    return {
        link: Link(env, vector_ps=1, jitter_ps=0, fifo_vectors=1)
        for link in np.unique(segment.program.trains.link).tolist()
    }


def test_each_train_is_sent_and_taken_once_a_sequence_on_its_link(
    drifting: Segment,
) -> None:
    links = links_of(drifting)
    steps = load_steps(drifting.program, drifting.layout, links)
    trains, topology = drifting.program.trains, drifting.topology
    every: list[ProcessorStep] = [step for chip in steps.values() for step in chip]
    on_link = enumerate(trains.link.tolist())
    expected = sorted(2 * [(train, id(links[link])) for train, link in on_link])
    for rides in ("sends", "takes"):
        ridden = [ride for step in every for ride in getattr(step, rides)]
        assert sorted((train, id(link)) for link, train in ridden) == expected
    for chip, own in steps.items():
        sent = [train for step in own for _, train in step.sends]
        assert {int(topology.source[trains.link[train]]) for train in sent} <= {chip}


def test_steps_are_sorted_by_position_and_late_ones_first(drifting: Segment) -> None:
    program, layout = drifting.program, drifting.layout
    for steps in load_steps(program, layout, links_of(drifting)).values():
        for one, other in pairwise(steps):
            assert (one.position_cycle, -one.lag) <= (other.position_cycle, -other.lag)
        for step in steps:
            if step.sequence >= 0:
                cycle = layout.cycle[step.number]
                cycle += step.sequence * program.interval_cycles
                place = step.lag * program.period_cycles + step.position_cycle
                assert place == cycle


def test_deskews_are_steps_of_no_sequence(drifting: Segment) -> None:
    deskews = drifting.program.deskews
    steps = load_steps(drifting.program, drifting.layout, links_of(drifting))
    loaded = [
        (chip, step.position_cycle)
        for chip, own in steps.items()
        for step in own
        if step.sequence < 0
    ]
    expected = zip(deskews.chip.tolist(), deskews.start_cycle.tolist(), strict=True)
    assert loaded == list(expected)
    assert len(loaded) > 0
