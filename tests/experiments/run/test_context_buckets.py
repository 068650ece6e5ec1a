from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.plots.run_figure import run_figure
from experiments.report.run_summary import summary
from experiments.run.context_buckets import (
    Bucket,
    BucketFacts,
    bucket_facts,
    bucket_starts,
    compile_buckets,
    token_context,
)
from experiments.run.preparation import Prepared, plan_scenario
from experiments.run.scenario import run_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.tables.run_tables import tokens_table
from sharding.planner.plan import ShardingPlan
from specs.scenario import Scenario


def asked(**content: object) -> Scenario:
    small = {"model": "gpt2", "chips": 16, "strategy": "tensor=4"}
    return scenario_of({**small, **content}, "test")


@given(prompt=st.integers(1, 600), tokens=st.integers(1, 600), size=st.integers(1, 300))
def test_every_token_is_served_by_the_shortest_bucket_that_holds_its_context(
    prompt: int, tokens: int, size: int
) -> None:
    content = {"prompt": prompt, "tokens": tokens, "context_bucket": size}
    scenario = scenario_of(content, "test")
    starts = bucket_starts(scenario)
    assert starts[0][0] == 0
    assert starts[-1][1] == scenario.context == prompt + tokens
    ends = [first for first, _ in starts[1:]] + [tokens]
    for (first, context), end in zip(starts, ends, strict=True):
        assert first < end
        last = token_context(scenario, end - 1)
        assert last <= context < token_context(scenario, first) + size
    assert token_context(scenario, 0) == prompt + 1


def test_a_context_without_a_prompt_is_one_bucket() -> None:
    assert bucket_starts(Scenario(context=500, tokens=900)) == [(0, 500)]


@pytest.fixture(scope="module")
def growing() -> tuple[Prepared, list[Bucket]]:
    """Return a plan of 60 tokens behind a prompt of 100, and its buckets of 32."""
    prepared = plan_scenario(asked(prompt=100, tokens=60, context_bucket=32))
    return prepared, compile_buckets(prepared)


def test_each_program_is_recorded_with_its_first_token_and_certificate(
    growing: tuple[Prepared, list[Bucket]],
) -> None:
    first, then = growing[1]
    facts = bucket_facts([first, then._replace(certificate=None)])
    assert first.certificate is not None
    assert facts == [
        BucketFacts(
            first_token=start,
            context_tokens=context,
            latency_cycles=bucket.schedule.latency_cycles,
            lower_bound_cycles=bucket.schedule.lower_bound_cycles,
            certificate=digest,
        )
        for bucket, start, context, digest in (
            (first, 0, 128, first.certificate.digest),
            # Token 27, behind 127 positions, is the last that fits 128.
            (then, 28, 160, None),
        )
    ]
    assert facts[0].lower_bound_cycles < facts[0].latency_cycles


def test_the_slices_stay_where_they_are_as_the_context_grows(
    growing: tuple[Prepared, list[Bucket]],
) -> None:
    prepared, buckets = growing
    assert [each.context_tokens for each in buckets] == [128, 160]
    for bucket in buckets:
        plan = bucket.schedule.plan
        assert isinstance(plan, ShardingPlan)
        for stage, own in zip(prepared.plan.stages, plan.stages, strict=True):
            assert own.blocks == stage.blocks
            assert own.chips.tolist() == stage.chips.tolist()
            assert (own.memory.kv_cache <= stage.memory.kv_cache).all()


def test_tokens_say_their_context_and_the_program_that_ran() -> None:
    run = run_scenario(
        asked(prompt=60, tokens=8, context_bucket=4, engine="replay", prefill_chunk=60)
    )
    table = tokens_table(run)
    assert table["context_tokens"].tolist() == list(range(61, 69))
    assert table["bucket_tokens"].tolist() == [64] * 4 + [68] * 4
    causes = [f"{cause}_ps" for cause in run.schedule.breakdown._fields] + [
        "replay_ps",
        "failover_ps",
    ]
    assert (table[causes].sum(axis="columns") == table["latency_ps"]).all()
    blocks = summary(run)["buckets"]
    assert [each["first_token"] for each in blocks] == [0, 4]
    assert [each["context_tokens"] for each in blocks] == [64, 68]


def test_where_cycles_went_is_the_mean_of_all_programs_that_ran() -> None:
    # Two tokens in the first bucket, ten in another.
    run = run_scenario(
        asked(prompt=638, tokens=12, context_bucket=640, engine="replay")
    )
    first, then = (sum(each.schedule.breakdown) for each in run.buckets)
    mean_cycles = (2 * first + 10 * then) / 12
    facts = summary(run)["iteration"]
    spent_cycles = sum(facts["breakdown_cycles"].values())
    assert first != then
    # Each of the causes is rounded.
    assert spent_cycles == pytest.approx(mean_cycles, abs=2)
    assert spent_cycles == pytest.approx(facts["latency_ns"]["mean"] * 0.9, rel=1e-4)


def test_waiting_for_a_turn_is_no_part_of_a_token() -> None:
    table = tokens_table(
        run_scenario(asked(context=64, tokens=2, sequences=12, engine="replay"))
    )
    taken = ["compute_ps", "link_ps", "guard_ps", "wait_ps"]
    # A deskew moves the chips by what drift has added, a few cycles of 1,111 ps.
    assert table["deskew_ps"].abs().max() < 10_000
    assert (table[taken].sum(axis="columns") <= table["latency_ps"] + 10_000).all()


def test_both_engines_tell_the_same_of_a_growing_context() -> None:
    small = {"prompt": 30, "tokens": 4, "context_bucket": 2, "sequences": 2}
    hashes = {
        run_scenario(asked(**small, engine=engine)).result.trajectory_hash
        for engine in ("simpy", "replay")
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("engine", ["simpy", "replay"])
def test_a_program_that_has_moved_to_a_spare_node_grows_there(
    engine: str, tmp_path: Path
) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nkind = "chip-stops"\nat_us = 90.0\nchip = 5\n')
    scenario = asked(
        prompt=30,
        tokens=8,
        context_bucket=2,
        engine=engine,
        faults=str(script),
        settings={"spares": 1},
    )
    run = run_scenario(scenario)
    assert len(run.result.failovers) == 1
    assert run.result.tokens_lost == run.violations == 0
    assert len(run.buckets) == 4
    table = tokens_table(run)
    assert table["token"].tolist() == list(range(8))
    assert (table["latency_ps"] > 0).all()


def test_a_picture_says_the_rate_of_a_user_who_waits_for_a_turn() -> None:
    run = run_scenario(asked(context=64, tokens=2, sequences=12, engine="replay"))
    rate = summary(run)["token"]["tokens_per_s_per_user"]
    (title,) = (axes.get_title("left") for axes in run_figure(run).axes[:1])
    assert "us of waiting" in title
    assert title.endswith(f"= {rate:,.0f} tokens/s for one user")
