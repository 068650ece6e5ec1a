"""Claim rules: the whole token is computed, and its numbers are what they must be.

For `compiler.verify`; independent of the code that makes programs.
"""

import math

import numpy as np

from chip.dataflow import Function
from chip.program import Opcode, Program
from compiler.dataflow_rules.attention_functions import head_sizes
from compiler.dataflow_rules.linear.states import state_bytes
from compiler.dataflow_rules.regions import parts_of, weight_of
from compiler.dataflow_rules.statements import Statements, beside
from compiler.dataflow_rules.weights.stored_weights import resident_bytes
from compiler.hazard_rules.structure import cycles_per_vector, violation
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints
from specs.machine import MachineSpec

_TOKEN, _POOLED = "head.token", "head.pooled"


def check_heads(
    statements: Statements, plan: ShardingPlan, cached_layers: int | None = None
) -> int:
    """Head dataflow rule: refuse a layer without some of its heads.

    So the keys and values of every position enter the KV cache, also those of prompt
    chunks that choose no token. Only the first `cached_layers` need attend, if given.
    """
    flow = statements.flow
    table = flow.operations
    own = statements.of(Function.SCORES)
    heads, _, _ = head_sizes(statements, own)
    made = statements.written(own, statements.output())
    entries, place = np.unique(table.operator[own], return_inverse=True)
    total = np.zeros(len(entries), dtype=np.uint64)
    weight = weight_of(made.first, made.last)
    np.add.at(total, place, weight * weight_of(made.part_first, made.part_last))
    # All parts that there are, of the heads of each.
    wanted = np.zeros(len(entries), dtype=np.uint64)
    first = np.flatnonzero(made.part_first == 0)
    parts = parts_of(place, made.first, made.last, made.part_last)
    np.add.at(wanted, place[first], (weight * weight_of(0 * parts, parts))[first])
    covered = np.zeros(len(entries), dtype=np.int64)
    np.add.at(covered, place[first], (made.last - made.first)[first])
    whole = (total == wanted) & (covered == heads[_first_of(place)])
    statements.must(
        whole[place], own, "is one of chips that leave out heads, or parts of a context"
    )
    attends = statements.of(Function.ATTEND)
    alone = parts[statements.like(attends, own)] == 1
    context = statements.written(attends, beside("context"))
    latents = statements.written(attends, beside("latent_context"))
    statements.must(
        (context.found | latents.found) == alone,
        attends,
        "makes the context of one of several parts, or a part of a whole one",
    )
    joined = statements.of(Function.COMBINE)
    read = statements.read(joined, beside("attended"))
    shared = parts[statements.like(joined, own)] if len(joined) else read.part_last
    statements.must(
        read.part_last == shared, joined, "joins other parts of the context than exist"
    )
    replicas = _replica_of(plan)
    done = np.unique(
        np.array([replicas[table.chip[own]], table.number[own], table.name[own]]),
        axis=1,
    ).shape[1]
    model = plan.task.model
    layers = model.layers if cached_layers is None else cached_layers
    attending = sum(not model.is_linear(layer) for layer in range(layers))
    needed = plan.strategy.data * len(flow.passes) * attending
    if done != needed:
        raise violation(
            "the program computes something else",
            f"{done} layers attend in all passes and replicas, expected {needed}",
        )
    return len(own)


def _first_of(place: Ints) -> Ints:
    """Return the first row of each place, in order of places."""
    return np.unique(place, return_index=True)[1]


def _replica_of(plan: ShardingPlan) -> Ints:
    """Return the replica of each chip that the plan uses, shape ``(chips,)``."""
    last = max(int(stage.chips.max()) for stage in plan.stages)
    replicas = np.full(last + 1, -1, dtype=np.int64)
    for stage in plan.stages:
        replicas[stage.chips] = stage.replica
    return replicas


def check_results(
    statements: Statements, plan: ShardingPlan, machine: MachineSpec
) -> int:
    """Refuse a program whose result does not get where it must be (result rule).

    A decoder's token returns to every chip of its replica's first stage before the next
    token begins. The state that an encoder pools meets on the first chip of its last
    stage.
    """
    flow = statements.flow
    checked = 0
    encoder = plan.task.model.structure.encoder
    for number, one in enumerate(flow.passes):
        if not one.answer_tokens:
            continue
        for replica in plan.replicas:
            if encoder:
                leader = int(replica.stages[-1].chips[0])
                _check_pooled(statements, number, leader, plan.task.model.hidden_size)
                checked += 1
            else:
                chips = replica.stages[0].chips
                _check_token(statements, number, chips, machine)
                checked += len(chips)
    return checked


def _values_named(statements: Statements, name: str, number: int) -> list[int]:
    """Return the values of a name in a pass."""
    return [
        place
        for place, value in enumerate(statements.flow.values)
        if value.name == name and value.number == number
    ]


def _check_token(
    statements: Statements, number: int, chips: Ints, machine: MachineSpec
) -> None:
    """Refuse a token that does not return, or too late for the next."""
    flow, program = statements.flow, statements.program
    values = _values_named(statements, _TOKEN, number)
    messages = flow.carried.owner[np.isin(flow.carried.value, values)]
    sampled = flow.writes.owner[np.isin(flow.writes.value, values)]
    code = program.instructions
    begins = code.start_cycle[code.opcode == Opcode.READ]
    begin = int(begins.min(initial=0))
    vector = math.ceil(cycles_per_vector(machine))
    for chip in chips.tolist():
        made = sampled[flow.operations.chip[sampled] == chip]
        got = messages[flow.messages.target[messages] == chip]
        if len(made):
            operator, late = flow.operations.operator[made[0]], 0
            opcode = Opcode.VECTOR
        elif len(got) == 1:
            operator = flow.messages.operator[got[0]]
            opcode, late = Opcode.RECEIVE, machine.chip.receive_cycles - vector
        else:
            raise violation(
                "the token does not return",
                f"chip {chip} embeds the next token and gets {len(got)} of them",
            )
        rows = (code.chip == chip) & (code.operator == operator)
        rows &= code.opcode == opcode
        ends = code.start_cycle[rows] + code.duration_cycles[rows] + late
        end = int(ends.max(initial=0))
        if end > program.period_cycles + begin:
            raise violation(
                "the token returns late",
                f"chip {chip} has it at cycle {end}, and the next token begins at "
                f"{program.period_cycles + begin}",
            )


def _check_pooled(statements: Statements, number: int, leader: int, size: int) -> None:
    """Refuse a pooled state that is not on the leader."""
    flow = statements.flow
    values = _values_named(statements, _POOLED, number)
    sent, made = flow.carried, flow.writes
    found = np.zeros(0, dtype=np.uint64)
    for regions, chip in (
        (sent, flow.messages.target[sent.owner]),
        (made, flow.operations.chip[made.owner]),
    ):
        own = np.isin(regions.value, values) & (chip == leader)
        own_weights = weight_of(regions.first[own], regions.last[own])
        found = np.concatenate([found, own_weights])
    whole = weight_of(np.array([0]), np.array([size]))
    if found.sum(dtype=np.uint64) != whole[0]:
        raise violation(
            "the result does not arrive",
            f"chip {leader} does not have each of the {size} columns of {_POOLED} once",
        )


def check_claims(
    statements: Statements, plan: ShardingPlan, machine: MachineSpec
) -> int:
    """Claim dataflow rule: refuse wrong marks, stalls and memory."""
    return check_marks(statements.program, machine) + _check_memory(statements, plan)


def check_marks(program: Program, machine: MachineSpec) -> int:
    """Claim dataflow rule: refuse wrong marks, periods and stalls."""
    code = program.instructions
    marks = np.sort(code.start_cycle[code.opcode == Opcode.MARK])
    ends = code.start_cycle + code.duration_cycles
    receives = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    # The last vector leaves the FIFO as many vectors after the first as follow it.
    later = (program.trains.vectors[code.train[receives]] - 1) * cycles_per_vector(
        machine
    )
    last = code.start_cycle[receives] + np.ceil(later - 1e-6).astype(np.int64)
    ends[receives] = last + machine.chip.receive_cycles
    end = int(ends[code.opcode != Opcode.MARK].max(initial=0))
    if not np.array_equal(marks, [0, program.token_cycles]) or end != marks[-1]:
        raise violation(
            "a token ends when it does not",
            f"its marks are at cycles {', '.join(map(str, marks.tolist()))}, its last "
            f"event at {end} and its end is stated as {program.token_cycles}",
        )
    astray = code.chip[(code.opcode == Opcode.MARK) & (code.chip != program.leader)]
    if len(astray):
        raise violation(
            "a token begins or ends elsewhere",
            f"chip {astray[0]} marks it, and chip {program.leader} is stated to lead",
        )
    if program.period_cycles < program.token_cycles:
        raise violation(
            "a token begins before the last has ended",
            f"every {program.period_cycles} cycles, and one takes "
            f"{program.token_cycles}",
        )
    stall = program.deskews.stall_cycles
    if len(program.deskews) and stall != machine.hac.epoch_cycles:
        raise violation(
            "a deskew stalls as long as it does not",
            f"{stall} cycles are stated, and an epoch has {machine.hac.epoch_cycles}",
        )
    return len(marks) + 2


def _check_memory(statements: Statements, plan: ShardingPlan) -> int:
    """Refuse less resident memory than the plan and the KV cache need."""
    program, task = statements.program, plan.task
    chips = program.chips
    held = resident_bytes(plan, chips)
    caches = np.zeros(chips, dtype=np.int64)
    if not task.model.structure.encoder:
        caches = _cache_bytes(statements, plan) + state_bytes(statements, plan)
    reserve = task.machine.chip.program_reserve_bytes
    used = np.unique(np.concatenate([stage.chips for stage in plan.stages]))
    for what, stated, needed in (
        ("weights", program.resident.weights, held),
        ("the KV cache", program.resident.kv_cache, caches),
        ("program text", program.resident.program[used], np.full(len(used), reserve)),
    ):
        short = np.flatnonzero(stated < needed)
        if len(short):
            at = int(short[0])
            chip = int(used[at]) if len(stated) == len(used) < chips else at
            raise violation(
                "memory is stated as less than it is",
                f"chip {chip} keeps {int(needed[at]):,} bytes of {what}, and "
                f"{int(stated[at]):,} are stated",
            )
    return 3 * len(used)


def _cache_bytes(statements: Statements, plan: ShardingPlan) -> Ints:
    """Return the bytes of keys and values that each chip must keep."""
    task, flow = plan.task, statements.flow
    own = statements.of(Function.SCORES)
    keys = statements.read(own, beside("key_cache"))
    # Of latents there are no keys and values apart.
    latents = statements.read(own, beside("latent_cache"))
    columns = 2 * (keys.last - keys.first) + latents.last - latents.first
    windows = statements.numbers(
        own, lambda n: getattr(statements.graph[n].attributes, "window", None) or 0
    )
    made = statements.written(own, statements.output())
    parts = parts_of(
        flow.operations.operator[own].astype(np.int64),
        made.first,
        made.last,
        made.part_last,
    )
    context = max(one.context_tokens for one in flow.passes)
    last = np.array([one.context_tokens == context for one in flow.passes])
    queries = np.array([one.query_tokens for one in flow.passes])
    rows = np.flatnonzero(last[flow.operations.number[own]])
    attended = np.where(windows > 0, np.minimum(windows, context), context)
    kept = np.minimum(context, attended + queries[flow.operations.number[own]] - 1)
    elements = columns * -(-kept // parts)
    bits = task.cached_format.bits
    size = -(-elements * task.batch * plan.sequences * bits // 8)
    total = np.zeros(statements.program.chips, dtype=np.int64)
    np.add.at(total, flow.operations.chip[own][rows], size[rows])
    return total
