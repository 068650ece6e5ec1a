"""Measurements of decoding for one user: token rates, their spread, speculation."""

from functools import cache

import numpy as np

from experiments.audit.measure import Case, Measure
from experiments.run.energy import energy_of
from experiments.run.scenario import Run, run_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.run.speculative_decoding import (
    Speculation,
    fastest,
)
from experiments.tables.run_tables import tokens_table
from experiments.tables.scenario_rows import latency_columns
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

# The shipped demo, and the splits of experiments.sharding_sweep that are fastest.
DEMO = Case("llama-2-70b", 576, "tensor=8,pipeline=72")
_DEMO_16 = Case("llama-2-70b", 576, "tensor=16,pipeline=36")
_TENSOR_8 = Case("llama-3-70b", 576, "tensor=8,pipeline=72")
_TENSOR_16 = Case("llama-3-70b", 576, "tensor=16,pipeline=36")
_TENSOR_72 = Case("llama-3-70b", 576, "tensor=72,pipeline=8")
_8B = Case("llama-3-8b", 72, "tensor=8,pipeline=9")
_8B_LARGE = Case("llama-3-8b", 288, "tensor=32,pipeline=9")
_7B = Case("llama-2-7b", 72, "tensor=8,pipeline=9", context=2048)
_MIXTRAL = Case("mixtral-8x7b", 288, "tensor=8,pipeline=36")
_TOKENS = 100
_SEED = 1
# Of the draft model: chips of its own, and the positions that a step verifies.
_DRAFT_CHIPS, _VERIFIED = 72, 5
# Tensor widths of the target and of the draft: the fastest for one user each.
_TARGET_WIDTH, _DRAFT_WIDTH = 72, 8


@cache
def ran(case: Case) -> Run:
    """Return the measurement's run of a case: tokens of one user."""
    scenario = scenario_of(
        {
            "model": case.model,
            "machine": case.machine,
            "chips": case.chips,
            "strategy": case.strategy,
            "context": case.context,
            "tokens": _TOKENS,
            "seed": _SEED,
            "engine": "replay",
        },
        "claims",
    )
    return run_scenario(scenario)


def tokens_per_s(case: Case) -> float:
    """Return the measurement of the token rate of one user."""
    rate = latency_columns(ran(case))["tokens_per_s_per_user"]
    assert isinstance(rate, float)
    return rate


def token_ms(case: Case) -> float:
    """Return the measurement of the time per token of one user, in ms."""
    return 1e3 / tokens_per_s(case)


def token_spread() -> float:
    """Return the measurement of P99 over P50 of the tokens of the demo."""
    latency = tokens_table(ran(DEMO))["latency_ps"].to_numpy()
    return float(np.percentile(latency, 99) / np.percentile(latency, 50))


def token_variation() -> float:
    """Return the measurement of the deviation of tokens of the demo over their mean."""
    latency = tokens_table(ran(DEMO))["latency_ps"].to_numpy()
    return float(latency.std() / latency.mean())


def joules_of_one_user() -> float | None:
    """Return the measurement of the energy of a token of the demo, one user."""
    run = ran(DEMO)
    prepared = run.prepared
    return energy_of(
        run.schedule.program,
        prepared.topology,
        prepared.machine,
        tokens_per_s=tokens_per_s(DEMO),
    ).energy_per_token_j


@cache
def _speculation() -> Speculation:
    """Return Llama-3-8B that drafts for Llama-3-70B, on 576 chips together."""
    machine, topology = load_machine(), select_topology(576, "auto")
    chips = topology.active.astype(np.int64)
    target = fastest(
        load_model("llama-3-70b"),
        machine,
        topology,
        chips[:-_DRAFT_CHIPS],
        context=4096,
        widths=(_TARGET_WIDTH,),
        positions=_VERIFIED,
    )
    draft = fastest(
        load_model("llama-3-8b"),
        machine,
        topology,
        chips[-_DRAFT_CHIPS:],
        context=4096,
        widths=(_DRAFT_WIDTH,),
    )
    return Speculation(target, draft)


def speculative(drafted: int, acceptance: float, *, free_draft: bool = False) -> float:
    """Return the measurement of the token rate of one user with speculation.

    Parameters
    ----------
    drafted
        Tokens that are drafted in a step.
    acceptance
        Probability that a drafted token is kept.
    free_draft
        Whether the draft takes no time, the most that any draft can give.
    """
    step = _speculation().step(drafted)
    if free_draft:
        step = step._replace(draft_us=0.0)
    return step.tokens_per_s(acceptance)


def _rate(case: Case) -> Measure:
    """Return the measurement of a case's token rate."""
    text = f"{case.chips} chips, {case.strategy}"
    return Measure(text, lambda: tokens_per_s(case), long=True)


def _time(case: Case) -> Measure:
    """Return the measurement of a case's time per token."""
    text = f"{case.model} on {case.chips} chips"
    return Measure(text, lambda: token_ms(case), long=True)


DECODING_MEASURES: dict[str, Measure] = {
    "token_p99_over_p50": Measure("token on the chips", token_spread, long=True),
    "token_variation": Measure("token on the chips", token_variation, long=True),
    "rate_demo": _rate(DEMO),
    "rate_demo_tensor16": _rate(_DEMO_16),
    "rate_70b_tensor8": _rate(_TENSOR_8),
    "rate_70b_tensor16": _rate(_TENSOR_16),
    "rate_70b_tensor72": _rate(_TENSOR_72),
    "rate_8b_72_chips": _rate(_8B),
    "rate_8b_288_chips": _rate(_8B_LARGE),
    "rate_7b_72_chips": _rate(_7B),
    "rate_mixtral": _rate(_MIXTRAL),
    "token_ms_70b": _time(_TENSOR_16),
    "token_ms_8b": _time(_8B),
    "token_ms_7b": _time(_7B),
    "joules_70b_one_user": Measure("70B, one user", joules_of_one_user, long=True),
    "speculative_at_80": Measure(
        "8 drafted by 8B, 80 % accepted", lambda: speculative(8, 0.8), long=True
    ),
    "speculative_at_95": Measure(
        "8 drafted by 8B, 95 % accepted", lambda: speculative(8, 0.95), long=True
    ),
    "speculative_at_95_free_draft": Measure(
        "the same, and the draft takes no time",
        lambda: speculative(8, 0.95, free_draft=True),
        long=True,
    ),
}
