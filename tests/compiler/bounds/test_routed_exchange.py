import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.routed_exchange import RoutedExchange
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_sends import exchange_sends
from compiler.collectives.phases import Candidate, adding_up
from sharding.operators.operators import Exchange, Pattern
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

# Cables of LPX run side by side, and messages are striped over them.
MACHINES = {"groqrack": (72, "auto"), "lpx": (64, "lpx")}
LINKS = {
    name: congestion_bound(load_machine(name), select_topology(*topology), 0)
    for name, topology in MACHINES.items()
}


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[str, Exchange, list[int]]:
    """Chips anywhere, in teams, some of which may have no shard or no part in it."""
    name = draw(st.sampled_from(sorted(MACHINES)))
    width = draw(st.integers(2, 24))
    chips = draw(st.permutations(range(MACHINES[name][0])))[:width]
    pattern = draw(st.sampled_from([Pattern.GATHER, Pattern.SCATTER]))
    least = draw(st.sampled_from([0, 1, 300]))
    sizes = draw(st.lists(st.integers(least, 900), min_size=width, max_size=width))
    teams = np.arange(width) % draw(st.integers(1, 3))
    only = None
    if draw(st.booleans()):
        only = np.arange(width) % draw(st.integers(1, 4)) == 0
    shards = np.array(sizes, dtype=np.int64)
    return name, Exchange("exchange", pattern, shards, teams, only), list(chips)


@given(drawn=exchanges())
def test_an_exchange_takes_as_long_as_its_phases(
    drawn: tuple[str, Exchange, list[int]],
) -> None:
    name, exchange, members = drawn
    machine, links, chips = load_machine(name), LINKS[name], np.array(members)

    def cycles(form: Candidate) -> int:
        return sum(
            links.cycles(phase.messages)
            + int(adding_up(machine, phase).cycles.max(initial=0))
            for phase in form.phases()
        )

    expected = list(map(cycles, exchange_candidates(links.topology, exchange, chips)))
    forms = [
        RoutedExchange(links, machine, made, exchange.pattern, chips)
        for made in exchange_sends(
            links.topology,
            exchange.pattern,
            exchange.teams,
            chips,
            only=exchange.only,
        )
    ]
    assert [form.cycles(exchange) for form in forms] == expected
    bounds = ExchangeBoundCache(links)
    task = Task(load_model("gpt2"), machine, len(chips), 128, 1)
    least = bounds.cycles(task, exchange, chips)
    assert least == min(expected)
    assert bounds.hop_cycles(exchange, chips) <= least
    if exchange.shard_bytes.all():
        shortest = [form.least_cycles for form in forms]
        assert all(a <= b for a, b in zip(shortest, expected, strict=True))
