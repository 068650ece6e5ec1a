import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from compiler.found import Cost, Evaluated
from experiments.explanation import pareto_front
from sharding.strategy import Strategy

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


@st.composite
def _evaluated(draw: st.DrawFn) -> Evaluated:
    tensor, pipeline = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    latency, pace = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    return Evaluated(
        Strategy(tensor=tensor, pipeline=pipeline),
        sequences=1,
        cost=Cost(latency, tensor * pipeline, tensor),
        latency_cycles=latency,
        pace_cycles=pace,
        stage_cycles=(pace,),
    )


def _beats(one: Evaluated, other: Evaluated) -> bool:
    return (
        one.latency_cycles <= other.latency_cycles
        and one.pace_cycles <= other.pace_cycles
        and one.strategy.chips <= other.strategy.chips
    )


@given(compiled=st.lists(_evaluated(), min_size=1, max_size=8))
def test_the_front_beats_all_others_and_nobody_on_it_beats_another(
    compiled: list[Evaluated],
) -> None:
    front = pareto_front(tuple(compiled))
    assert all(any(_beats(kept, each) for kept in front) for each in compiled)
    assert not any(
        _beats(one, other) for one in front for other in front if one is not other
    )


def test_a_search_says_why_within_80_columns(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    auto = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    told = groqrack("plan", *auto, "--explain")
    assert told.returncode == 0
    assert "no other strategy can beat it" in told.stdout
    assert "Stage imbalance" in told.stdout
    for limit in ("SRAM", "heads", "context"):
        assert limit in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80


def test_a_plan_that_was_asked_for_is_explained_without_a_search(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    asked = ["--model", tiny_config, "--chips", "12", "--strategy", "tensor=4"]
    told = groqrack("plan", *asked, "--explain")
    assert "lose" in told.stdout
    assert "next best" not in told.stdout


def test_what_was_searched_is_part_of_the_plan_and_can_be_simulated(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    auto = ["--model", tiny_config, "--chips", "12", "--strategy", "auto"]
    planned = json.loads(groqrack("plan", *auto, "--json").stdout)
    search = planned["search"]
    assert {"candidates", "scored", "best_bound_cycles", "gap", "wall_s"} <= set(search)
    assert search["candidates"] == sum(12 // tensor for tensor in range(1, 13))
    assert search["gap"] == 0
    run = json.loads(groqrack("simulate", *auto, "--tokens", "1", "--json").stdout)
    assert run["plan"] == planned["plan"]
    assert run["schedule"]["latency_cycles"] == search["best_bound_cycles"]


def test_throughput_decides_how_many_sequences_are_in_flight(
    groqrack: Groqrack, tiny_config: Path
) -> None:
    options = ["--model", tiny_config, "--chips", "8", "--strategy", "auto"]
    done = groqrack(
        "simulate", *options, "--objective", "throughput", "--tokens", "2", "--json"
    )
    run = json.loads(done.stdout)
    assert run["inputs"]["sequences"] > 1
    assert run["iteration"]["count"] == 2 * run["inputs"]["sequences"]
    refused = groqrack("plan", *options[:-2], "--objective", "chips")
    assert refused.returncode == 2
    assert "--strategy auto" in refused.stderr
