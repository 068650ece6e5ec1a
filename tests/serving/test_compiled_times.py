from dataclasses import replace
from functools import cache

import pytest

from compiler.compile_decode import compile_token
from experiments.run.preparation import Prepared, plan_scenario
from serving.compiled_times import bucket_contexts, compile_service_times, stage_pitch
from serving.frame import frame_times
from specs.errors import PlanError
from specs.scenario import Scenario
from tests.serving.round_times import round_frame


@cache
def prepared(sequences: int = 4) -> Prepared:
    return plan_scenario(
        Scenario(
            model="gpt2",
            chips=8,
            strategy="tensor=2,pipeline=4",
            sequences=sequences,
            context=64,
            settings={"model.layers": 4},
        )
    )


@pytest.mark.parametrize("sequences", [1, 4])
def test_without_windows_a_frame_is_the_period_of_todays_decode_program(
    sequences: int,
) -> None:
    what = prepared(sequences)
    times = compile_service_times(what.plan, what.topology, chunk_tokens=8)
    program = compile_token(what.plan, what.topology).program
    frame = round_frame(slots=sequences, windows=0, context_tokens=64)
    made = frame_times(times, frame)
    assert made.frame_cycles == program.period_cycles
    assert made.frame_cycles - made.token_cycles == program.turn_cycles
    assert made.slot_start(0, 1) == program.interval_cycles or sequences == 1


def test_longer_contexts_and_chunks_take_longer_and_each_program_is_certified() -> None:
    what = prepared()
    contexts = bucket_contexts(64, 32)
    narrow, wide = (
        compile_service_times(
            what.plan, what.topology, chunk_tokens=chunk, contexts=contexts
        )
        for chunk in (4, 16)
    )
    assert narrow.context_tokens.tolist() == [32, 64]
    assert (narrow.window_cycles < wide.window_cycles).all()
    assert (narrow.pass_cycles < wide.pass_cycles).all()
    assert (wide.pass_cycles[1:] > wide.pass_cycles[:-1]).all()
    digests = {*wide.decode_certificates, *wide.chunk_certificates}
    assert len(digests) == 4
    assert narrow.decode_certificates == wide.decode_certificates


def test_a_token_behind_a_wide_chunk_waits_for_it_in_every_stage() -> None:
    what = prepared()
    times = compile_service_times(what.plan, what.topology, chunk_tokens=16)
    chunk = compile_service_times(
        replace(what.plan, sequences=1), what.topology, chunk_tokens=16
    )
    token = stage_pitch(compile_token(what.plan, what.topology).timeline)
    assert len(token) == 3
    assert times.token_lag_cycles[0] > 0
    # A chunk takes longer than a token in each of the three stages before the last.
    assert times.paced_windows[0] == 3
    assert times.paced_pass_cycles[0] < times.pass_cycles[0]
    assert times.pass_lag_cycles[0] == 0
    assert chunk.window_cycles[0] == times.window_cycles[0]


def test_drafted_tokens_make_a_turn_longer() -> None:
    what = prepared()
    one = compile_service_times(what.plan, what.topology, chunk_tokens=8)
    more = compile_service_times(
        what.plan, what.topology, chunk_tokens=8, drafted_tokens=3
    )
    assert (one.turn_tokens, more.turn_tokens) == (1, 4)
    assert more.token_cycles[0] > one.token_cycles[0]


def test_what_has_no_service_times_is_refused() -> None:
    what = prepared()
    with pytest.raises(PlanError, match="bytes; use a shorter chunk or fewer slots"):
        compile_service_times(
            replace(
                what.plan,
                task=what.plan.task._replace(context=4_000_000),
            ),
            what.topology,
            chunk_tokens=8,
        )
    strategy = replace(what.plan.strategy, data=2)
    with pytest.raises(PlanError, match="has 2 replicas"):
        compile_service_times(
            replace(what.plan, strategy=strategy), what.topology, chunk_tokens=8
        )
    encoder = plan_scenario(
        Scenario(model="bert-base", chips=8, strategy="tensor=8", context=64)
    )
    with pytest.raises(PlanError, match="is an encoder and makes no tokens"):
        compile_service_times(encoder.plan, encoder.topology, chunk_tokens=8)
