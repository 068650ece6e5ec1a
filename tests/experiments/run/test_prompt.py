import io

import pytest
from rich.console import Console

from experiments.report.run_report import run_report
from experiments.report.run_summary import summarise, summary
from experiments.run.preparation import plan_scenario
from experiments.run.prompt import prefill_facts, run_prompt
from experiments.run.scenario import Run, run_scenario
from experiments.run.scenario_inputs import scenario_of
from specs.errors import SpecError
from specs.scenario import Scenario


def run(**content: object) -> Run:
    asked = {"model": "gpt2", "chips": 16, "strategy": "tensor=4", "tokens": 2}
    return run_scenario(scenario_of({**asked, **content}, "test"))


def test_the_time_to_the_first_token_is_host_start_and_pass() -> None:
    facts = summary(run(prompt=100, prefill_chunk=32))
    prefill = facts["prefill"]
    parts = prefill["host_ns"] + prefill["alignment_ns"] + prefill["latency_ns"]
    assert facts["token"]["time_to_first_token_ns"] == pytest.approx(parts)
    assert (prefill["chunk_tokens"], prefill["chunks"]) == (32, 4)
    assert sum(prefill["breakdown_cycles"].values()) == prefill["latency_cycles"]
    # 400 bytes at 31.5 GB/s after 10 us.
    assert prefill["host_ns"] == pytest.approx(10_000 + 400 / 31.5, abs=1e-3)
    assert facts["violations"] == {"underflow": 0, "overflow": 0, "link_conflict": 0}


def test_prompts_of_others_are_no_part_of_the_first_ones_pass() -> None:
    facts = summary(run(prompt=40, sequences=3, engine="replay"))["prefill"]
    assert sum(facts["breakdown_cycles"].values()) == facts["latency_cycles"]
    assert facts["latency_cycles"] == pytest.approx(facts["latency_ns"] * 0.9, rel=1e-4)


def test_a_report_says_what_prompts_cost_in_a_full_pipeline() -> None:
    made = run(prompt=40, sequences=3, tokens=9, engine="replay")
    facts = summarise(made)
    token, prefill = facts.token, facts.prefill
    assert token is not None
    assert prefill is not None
    # All three prompt, then each gets nine tokens more.
    clock_hz = made.prepared.machine.chip.clock_hz
    took_s = prefill.period_cycles / clock_hz + 9 / token.tokens_per_s_per_user
    assert token.tokens_per_s_with_prompts == pytest.approx(3 * 10 / took_s)
    assert prefill.period_cycles <= 3 * prefill.latency_cycles
    told = io.StringIO()
    Console(file=told, width=80).print(run_report(made, facts))
    lines = [line.strip() for line in told.getvalue().splitlines()]
    row = next(n for n, line in enumerate(lines) if line.startswith("aggregate"))
    assert lines[row].endswith(
        f"{token.tokens_per_s_pipeline:,.1f} tokens/s without prompts"
    )
    assert lines[row + 1] == (
        f"{token.tokens_per_s_with_prompts:,.1f} tokens/s with 40 in and 10 out"
    )


def test_a_prompt_brings_the_context_that_it_and_the_tokens_need() -> None:
    assert scenario_of({"prompt": 100, "tokens": 3}, "test").context == 103
    assert scenario_of({"prompt": 100}, "test").context == 108
    longer = scenario_of({"prompt": 100, "tokens": 3, "context": 500}, "test")
    assert longer.context == 500
    with pytest.raises(SpecError, match="use --context 103"):
        scenario_of({"prompt": 100, "tokens": 3, "context": 102}, "test")


def test_a_chunk_without_a_prompt_is_refused() -> None:
    with pytest.raises(SpecError, match="add --prompt"):
        scenario_of({"prefill_chunk": 8}, "test")


def test_what_has_no_prompt_says_nothing_of_one() -> None:
    facts = summary(run(context=64))
    assert "prefill" not in facts
    assert "prompt" not in facts["inputs"]
    assert Scenario().prompt == 0


def test_both_engines_tell_the_same_of_a_prompt() -> None:
    hashes = {
        engine: summary(run(prompt=40, engine=engine))["prefill"]["trajectory_hash"]
        for engine in ("simpy", "replay")
    }
    assert len(set(hashes.values())) == 1


def test_a_scenario_without_a_prompt_runs_none() -> None:
    planned = plan_scenario(
        scenario_of({"model": "gpt2", "chips": 4, "context": 64}, "test")
    )
    assert run_prompt(planned) is None


def test_facts_of_a_prompt_are_those_of_its_program() -> None:
    asked = {"model": "gpt2", "chips": 4, "prompt": 8, "engine": "replay"}
    prompt = run_prompt(plan_scenario(scenario_of(asked, "test")))
    assert prompt is not None
    facts = prefill_facts(prompt)
    assert facts.prompt_tokens == 8
    assert facts.latency_cycles == prompt.prefill.schedule.program.token_cycles
    assert facts.latency_ns == prompt.latency_ps / 1000
    assert prompt.certificate is not None
    assert facts.certificate == prompt.certificate.digest
