import numpy as np
import pytest
import simpy
from simpy.events import ProcessGenerator

from chip.program import Opcode, Program
from compiler.compile_collective import compile_collective
from fabric.clocks.clock import Crystal
from fabric.clocks.crystals import make_clocks
from fabric.random_streams import Draws
from fabric.replay import replay
from fabric.replay_engine.vector_times import tally_vectors, vector_times
from fabric.results.result import Record, RunResult
from fabric.simulation import simulate
from specs.machine import MachineSpec, load_machine
from topologies.selection import select_topology
from topologies.topology import Topology

Times = dict[tuple[int, int], tuple[int, int, int]]
MACHINE = load_machine()
TWO_NODES = select_topology(16)


def ran(
    machine: MachineSpec, kind: str, payload_bytes: int, seed: int
) -> tuple[Program, RunResult]:
    chips = TWO_NODES.active.astype(np.int64)
    program = compile_collective(
        TWO_NODES, machine, kind, chips, payload_bytes=payload_bytes
    ).program
    result = replay(
        program, TWO_NODES, machine, seed=seed, tokens=2, keep=frozenset({1})
    )
    return program, result


class VectorByVector:
    """The reference: a SimPy process for each end of each train, an event a vector."""

    def __init__(
        self, program: Program, topology: Topology, machine: MachineSpec, seed: int
    ) -> None:
        self.env = simpy.Environment()
        draws = Draws(seed)
        self.clocks = make_clocks(machine, topology.chips, program.leader, draws).each
        self.program, self.topology, self.machine = program, topology, machine
        self.sent: dict[tuple[int, int], int] = {}
        self.arrived: dict[tuple[int, int], int] = {}
        self.taken: dict[tuple[int, int], int] = {}

    def edge_ps(self, clock: Crystal, first_ps: int, index: int) -> int:
        offset = self.machine.line.offset_cycles(index)
        return clock.edge_ps(clock.cycle_at(first_ps) + offset)

    def sender(
        self, train: int, vectors: int, first_ps: int, latency_ps: int
    ) -> ProcessGenerator:
        clock = self.clocks[self.topology.source[self.program.trains.link[train]]]
        for index in range(vectors):
            at_ps = self.edge_ps(clock, first_ps, index)
            yield self.env.timeout(at_ps - int(self.env.now))
            self.sent[train, index] = int(self.env.now)
            self.env.process(self.flight(train, index, latency_ps))

    def flight(self, train: int, index: int, latency_ps: int) -> ProcessGenerator:
        yield self.env.timeout(latency_ps)
        self.arrived[train, index] = int(self.env.now)

    def receiver(self, train: int, vectors: int, first_ps: int) -> ProcessGenerator:
        clock = self.clocks[self.topology.target[self.program.trains.link[train]]]
        for index in range(vectors):
            at_ps = self.edge_ps(clock, first_ps, index)
            yield self.env.timeout(at_ps - int(self.env.now))
            self.taken[train, index] = int(self.env.now)

    def run(self, record: Record) -> Times:
        code, trains = self.program.instructions, self.program.trains
        sent_ps = {}
        for row in np.flatnonzero(code.train >= 0).tolist():
            train, at_ps = int(code.train[row]), int(record.instruction_ps[row])
            vectors = int(trains.vectors[train])
            if code.opcode[row] == Opcode.RECEIVE:
                self.env.process(self.receiver(train, vectors, at_ps))
            else:
                sent_ps[train] = at_ps
        for train, at_ps in sent_ps.items():
            latency_ps = int(record.arrival_ps[train]) - at_ps
            vectors = int(trains.vectors[train])
            self.env.process(self.sender(train, vectors, at_ps, latency_ps))
        self.env.run()
        return {
            key: (sent, self.arrived[key], self.taken[key])
            for key, sent in self.sent.items()
        }


@pytest.mark.parametrize(
    ("kind", "payload_bytes", "settings", "seed"),
    [
        ("all-reduce", 30_000, {}, 1),
        ("all-to-all", 40_000, {"clock.drift_ppm": 200}, 2),
        ("broadcast", 9_000, {"link.jitter_cycles": 0, "clock.drift_ppm": 0}, 3),
    ],
)
def test_every_vector_is_where_the_event_loop_finds_it(
    kind: str, payload_bytes: int, settings: dict[str, object], seed: int
) -> None:
    machine = MACHINE.with_settings(settings)
    program, result = ran(machine, kind, payload_bytes, seed)
    (record,) = result.records
    oracle = VectorByVector(program, TWO_NODES, machine, seed)
    expected = oracle.run(record)
    found: Times = {}
    for block in vector_times(program, TWO_NODES, machine, record, seed=seed):
        for row, train in enumerate(block.train.tolist()):
            columns = (block.sent_ps[row], block.arrival_ps[row], block.taken_ps[row])
            for index, times in enumerate(np.stack(columns, axis=1).tolist()):
                found[train, index] = tuple(times)
    assert found == expected
    assert all(arrival <= taken for _, arrival, taken in found.values())


def test_the_tally_counts_every_vector_hop_and_finds_the_least_slack() -> None:
    program, result = ran(MACHINE, "all-reduce", 100_000, 1)
    (record,) = result.records
    tally = tally_vectors(program, TWO_NODES, MACHINE, record, seed=1)
    assert tally.vector_hops == program.trains.vectors.sum()
    assert tally.late == 0
    # The ledger works out the last vector of a train from its first, to 2 ps.
    assert abs(tally.least_slack_ps - int(result.links.least_slack_ps.min())) < 10**6
    assert tally.last_taken_ps <= result.iterations[-1].end_ps


def test_late_vectors_are_counted_one_by_one() -> None:
    program, result = ran(MACHINE, "all-reduce", 5_000, 1)
    (record,) = result.records
    # All is a microsecond later on its way than it was.
    slow = Record(
        sequence=record.sequence,
        iteration=record.iteration,
        instruction_ps=record.instruction_ps,
        arrival_ps=record.arrival_ps + 10**6,
    )
    tally = tally_vectors(program, TWO_NODES, MACHINE, slow, seed=1)
    assert tally.late == tally.vector_hops
    assert tally.least_slack_ps < 0


def test_both_engines_hand_over_the_same_record() -> None:
    program, result = ran(MACHINE, "all-gather", 5_000, 4)
    other = simulate(program, TWO_NODES, MACHINE, seed=4, tokens=2, keep=frozenset({1}))
    tallies = [
        tally_vectors(program, TWO_NODES, MACHINE, each.records[0], seed=4)
        for each in (result, other)
    ]
    assert tallies[0] == tallies[1]
