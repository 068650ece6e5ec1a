from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.run.speculative_decoding import (
    Speculation,
    SpeculationStep,
    drawn_tokens,
    fastest,
    tokens_per_step,
)
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

MACHINE = load_machine()
TOPOLOGY = select_topology(24, "auto")
CHIPS = TOPOLOGY.active.astype(np.int64)


def pair() -> Speculation:
    # The larger GPT-2 and the smaller one, which share a vocabulary.
    target = fastest(
        load_model("gpt2-xl"), MACHINE, TOPOLOGY, CHIPS[:16], context=512, widths=(8, 4)
    )
    draft = fastest(
        load_model("gpt2"), MACHINE, TOPOLOGY, CHIPS[16:], context=512, widths=(8, 4)
    )
    return Speculation(target, draft)


@given(acceptance=st.floats(0, 0.999), drafted=st.integers(1, 20))
def test_the_mean_is_the_geometric_series(acceptance: float, drafted: int) -> None:
    closed = (1 - acceptance ** (drafted + 1)) / (1 - acceptance)
    assert tokens_per_step(acceptance, drafted) == pytest.approx(closed)


@given(acceptance=st.floats(0, 1), drafted=st.integers(1, 12), seed=st.integers(0, 99))
def test_draws_have_the_mean_that_is_expected(
    acceptance: float, drafted: int, seed: int
) -> None:
    tokens = drawn_tokens(acceptance, drafted, steps=4000, seed=seed)
    assert tokens.min() >= 1
    assert tokens.max() <= drafted + 1
    spread = float(tokens.std()) / 4000**0.5
    expected = tokens_per_step(acceptance, drafted)
    assert abs(float(tokens.mean()) - expected) <= 5 * spread + 0.01
    again = drawn_tokens(acceptance, drafted, steps=4000, seed=seed)
    assert tokens.tolist() == again.tolist()


def test_a_draft_that_is_never_right_only_costs() -> None:
    both = pair()
    hz = MACHINE.chip.clock_hz
    alone = hz / both.target.schedule.latency_cycles
    assert both.step(4).tokens_per_s(0.0) < alone
    assert both.step(4).tokens_per_s(1.0) > alone


def test_verifying_several_positions_takes_longer_than_one_but_not_as_many() -> None:
    target = pair().target
    one = target.pass_cycles(1)
    assert one == target.schedule.latency_cycles
    passes = [target.pass_cycles(positions) for positions in (2, 4, 8)]
    assert passes == sorted(passes)
    assert one < passes[-1] < 8 * one


def test_a_step_is_draft_transfer_and_verification() -> None:
    both = pair()
    steps = [both.step(drafted) for drafted in (1, 2, 3)]
    one = both.draft.schedule.latency_cycles / MACHINE.chip.clock_hz * 1e6
    growth = [b.draft_us - a.draft_us for a, b in pairwise(steps)]
    assert growth == pytest.approx([one, one])
    assert all(step.transfer_us > 1 for step in steps)
    assert SpeculationStep(2, 1.0, 2.0, 3.0).step_us == 6.0


def test_what_fits_at_no_width_is_refused() -> None:
    with pytest.raises(PlanError, match="What would do"):
        fastest(
            load_model("llama-2-7b"),
            MACHINE,
            TOPOLOGY,
            CHIPS[:8],
            context=512,
            widths=(8,),
        )
