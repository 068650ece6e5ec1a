"""Recomputation of a KV cache: which stages run, how often, and that it is proven."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from compiler.compile_recompute import compile_recomputation
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from specs.errors import PlanError, VerificationError

Compile = Callable[..., Schedule]


def test_only_stages_up_to_the_last_lost_layer_run(compiled: Compile) -> None:
    made = compiled(2, 3)
    stages = [set(stage.chips.tolist()) for stage in made.plan.stages]
    for layers, last in ((1, 0), (2, 1)):
        again = compile_recomputation(made.plan, made.topology, layers)
        works = set(again.schedule.program.instructions.chip.tolist())
        assert works == set().union(*stages[: last + 1])
        assert len(again.schedule.plan.stages) == last + 1
        kept = again.schedule.plan.stages[last].memory
        # Nothing is thrown away for it.
        assert (kept.weights == made.plan.stages[last].memory.weights).all()


def test_chunks_of_all_sequences_follow_each_other(compiled: Compile) -> None:
    one, two = (compiled(2, 3, sequences=count) for count in (1, 2))
    alone, both = (
        compile_recomputation(made.plan, made.topology, 2, chunk_tokens=4)
        for made in (one, two)
    )
    # 16 positions of each sequence.
    for again, chunks in ((alone, 4), (both, 8)):
        assert again.rounds * again.schedule.program.sequences >= chunks
        assert (again.rounds - 1) * again.schedule.program.sequences < chunks
    assert alone.latency_cycles < both.latency_cycles < 2 * alone.latency_cycles


def test_the_fastest_chunk_is_no_slower_than_others(compiled: Compile) -> None:
    made = compiled(2, 3)
    best = compile_recomputation(made.plan, made.topology, 2)
    for size in (8, 16):
        other = compile_recomputation(made.plan, made.topology, 2, chunk_tokens=size)
        assert best.latency_cycles <= other.latency_cycles


def test_the_proof_asks_for_the_layers_that_were_lost(compiled: Compile) -> None:
    made = compiled(2, 3)
    schedule = compile_recomputation(made.plan, made.topology, 1).schedule
    program, plan = schedule.program, schedule.plan
    machine = plan.machine
    verify(program, made.topology, machine, plan=plan, cached_layers=1)
    with pytest.raises(VerificationError, match=r"1 layers attend .*, expected 2"):
        verify(program, made.topology, machine, plan=plan, cached_layers=2)
    with pytest.raises(VerificationError, match=r"1 layers attend .*, expected 2"):
        verify(program, made.topology, machine, plan=plan)


def test_a_chunk_that_does_not_fit_is_refused(compiled: Compile) -> None:
    made = compiled(2, 3)
    chip = made.plan.machine.chip
    small = made.plan.machine.with_settings(
        {"chip.sram_bytes": made.plan.fullest_chip_bytes, "link.ber": 0}
    )
    assert small.chip.sram_bytes < chip.sram_bytes
    plan = replace(made.plan, task=made.plan.task._replace(machine=small))
    with pytest.raises(PlanError, match=r"chunks of 16 positions .* do not fit"):
        compile_recomputation(plan, made.topology, 2, chunk_tokens=16)
