"""One fault at every cable and at every chip of a machine, each in a run of its own.

``python -m tests.engines.single_faults --chips 8,72,576`` says of each machine how many
runs there were and how many failed over or missed tokens. Exit code 1 if any run breaks
a law: each token is delivered or missing, once; none is delivered of whose vectors one
was lost; the iterations of a sequence follow each other; and no part of a failover is
longer than what is left of it.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from experiments.run.failover_planning import SpareNodes
from experiments.run.scenario import Programs, compile_programs
from fabric.replay import replay
from fabric.results.iteration_log import NEVER
from fabric.results.result import RunResult
from specs.faults import ChipStops, Fault, LinkDies
from specs.scenario import scenario
from specs.units import PS_PER_US
from tests.fuzz.kinds import CONFIG
from tests.fuzz.rendering import as_json

TOKENS = 3
MACHINES: dict[int, dict[str, Any]] = {
    8: {"chips": 8, "strategy": "tensor=4,pipeline=2", "context": 32, "sequences": 2},
    72: {
        "model": "llama-2-7b",
        "chips": 64,
        "strategy": "tensor=8,pipeline=8",
        "context": 512,
        "settings": {"spares": 1},
    },
    576: {"model": "llama-2-70b", "chips": 576, "strategy": "tensor=8,pipeline=72"},
}


class Machine(NamedTuple):
    """A machine with its programs and their spares, and how long a run of it takes."""

    programs: Programs
    spares: SpareNodes
    length_us: float

    def run(self, faults: list[Fault]) -> RunResult:
        """Return the run of a few tokens with faults."""
        prepared = self.programs.prepared
        return replay(
            self.programs.buckets[0].schedule.program,
            prepared.topology,
            prepared.machine,
            seed=1,
            tokens=TOKENS,
            faults=faults,
            spares=self.spares,
            keep=frozenset(range(3 * TOKENS)),
        )


def machine_of(chips: int) -> Machine:
    """Return a machine, compiled; the one of a node runs a tiny model."""
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_bytes(as_json(CONFIG))
        programs = compile_programs(
            scenario({"model": str(config), "tokens": TOKENS} | MACHINES[chips])
        )
    made = Machine(programs, SpareNodes(programs.buckets[0].prepared), 0.0)
    rows = made.run([]).iterations
    length_ps = rows[-1].end_ps - rows[0].start_ps
    return made._replace(length_us=length_ps / PS_PER_US)


def single_faults(machine: Machine, seed: int) -> Iterator[Fault]:
    """Yield a fault for each cable and each chip, at any time of the run."""
    draw = random.Random(seed)
    topology = machine.programs.prepared.topology
    for cable in range(topology.links):
        at_us = draw.uniform(0, machine.length_us)
        # Either direction names the cable.
        yield LinkDies(at_us=at_us, link=2 * cable + draw.randrange(2))
    for chip in range(topology.chips):
        yield ChipStops(at_us=draw.uniform(0, machine.length_us), chip=chip)


def broken_laws(result: RunResult, sequences: int) -> list[str]:
    """Return the laws that a run breaks."""
    rows = result.iterations
    asked = sorted((s, token) for s in range(sequences) for token in range(TOKENS))
    delivered = [(row.sequence, row.token) for row in rows if row.delivered]
    missing = [
        (each.sequence, token)
        for each in result.missing
        for token in range(each.first_token, each.last_token + 1)
    ]
    lost = {
        (record.sequence, record.iteration)
        for record in result.records
        if (record.arrival_ps == NEVER).any()
    }
    from_bad_data = [
        row for row in rows if row.delivered and (row.sequence, row.iteration) in lost
    ]
    turns = [
        [row for row in rows if row.sequence == sequence]
        for sequence in range(sequences)
    ]
    laws = {
        "delivered and missing tokens are those asked for": (
            sorted(delivered + missing) == asked
        ),
        "nothing from bad data": not from_bad_data,
        "iterations follow each other": all(
            before.end_ps <= after.start_ps
            for each in turns
            for before, after in pairwise(each)
        ),
        "an iteration takes time": all(row.start_ps < row.end_ps for row in rows),
        "no part of a failover is longer than what is left of it": all(
            min(each.parts_ps.values()) >= 0 for each in result.failovers
        ),
        "what is missing has a reason": all(each.reason for each in result.missing),
    }
    return [law for law, holds in laws.items() if not holds]


def campaign(chips: int, seed: int, most: int | None = None) -> Counter[str]:
    """Return how runs with one fault ended, `most` of them, and the laws they broke."""
    machine = machine_of(chips)
    sequences = machine.programs.prepared.scenario.sequences
    faults = list(single_faults(machine, seed))
    if most is not None:
        faults = random.Random(seed).sample(faults, most)
    ends: Counter[str] = Counter()
    for fault in faults:
        result = machine.run([fault])
        ends["runs"] += 1
        ends["failed over"] += bool(result.failovers)
        ends["missed tokens"] += bool(result.missing)
        ends["replayed a token"] += bool(result.replays)
        for law in broken_laws(result, sequences):
            ends[f"BROKEN: {law}"] += 1
            print(f"{chips} chips: {fault}: {law}", flush=True)
    return ends


def main(words: list[str] | None = None) -> int:
    """Run the faults of each machine and say how they ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", default="8,72,576")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, help="faults of each machine, drawn")
    options = parser.parse_args(words)
    broken = False
    for chips in map(int, options.chips.split(",")):
        began = time.process_time()
        ends = campaign(chips, options.seed, options.most)
        told = ", ".join(f"{what} {count:,}" for what, count in ends.items())
        print(f"{chips} chips: {told}, in {time.process_time() - began:.0f} s")
        broken |= any(what.startswith("BROKEN") for what in ends)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
