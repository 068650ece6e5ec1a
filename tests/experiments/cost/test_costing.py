import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from experiments.cost.cost_request import CostRequest
from experiments.cost.cost_sweep import cost_points, cost_row
from experiments.cost.costing import (
    cost_document,
    costing,
    matching_prices,
    pipeline_loads,
    prices_used,
    traffic_loads,
)
from experiments.cost.load import frame_load, pipeline_load, traffic_load
from experiments.report.cost_keys import COST
from experiments.run.preparation import plan_scenario
from experiments.run.scenario_inputs import scenario_of
from experiments.service.traffic_run import TrafficRun, run_traffic, traffic_document
from serving.traffic_file import traffic_file
from specs.cost import load_costs

CONTENT: dict[str, Any] = {
    "model": "gpt2",
    "chips": 8,
    "strategy": "tensor=2,pipeline=4",
    "settings": {"model.layers": 4},
    "context": 64,
    "frame": {"slots": 4, "windows": 2, "chunk_tokens": 8},
    "traffic": {
        "rate_per_s": 1000,
        "requests": 60,
        "prompt": {"tokens": 12},
        "output": {"tokens": 5},
    },
}


@cache
def run(replicas: int = 1, **frame: Any) -> TrafficRun:
    content = {**CONTENT, "replicas": replicas}
    content["frame"] = {**CONTENT["frame"], **frame}
    return run_traffic(traffic_file(content, "test"))


def test_a_load_counts_what_was_served() -> None:
    served = run()
    load, facts = traffic_load(served), served.summary
    assert load.chips == 8
    assert load.output_tokens_per_s == facts["output_throughput"]
    assert load.input_tokens_per_s == pytest.approx(12 * facts["request_throughput"])
    # Little's law: those there are those who come times how long they stay.
    stay_s = facts["mean_e2el_ms"] / 1e3
    assert load.users == pytest.approx(facts["request_throughput"] * stay_s)
    # Of each request two chunks of a prompt, and four turns after the first token.
    frame = traffic_document(served)["frame"]
    prompts, turns = 2 * frame["window_cycles"], 4 * frame["slot_cycles"]
    assert load.input_share == pytest.approx(prompts / (prompts + turns))


def test_power_lies_between_nothing_to_do_and_the_most() -> None:
    load, full = traffic_load(run()), frame_load(run().prepared)
    assert full is not None
    assert load.idle_power_w is not None
    assert load.average_power_w is not None
    assert full.average_power_w is not None
    assert full.tdp_power_w is not None
    assert load.idle_power_w < load.average_power_w < full.average_power_w
    assert full.average_power_w < full.tdp_power_w
    times = run().prepared.fleet.times
    assert times.turn_j is not None
    assert times.chunk_j is not None
    # Four turns and two chunks of each request.
    joules = 4 * times.turn_j[-1] + 2 * times.chunk_j[-1]
    dynamic_w = load.average_power_w - load.idle_power_w
    assert dynamic_w == pytest.approx(joules * run().summary["request_throughput"])
    twice = traffic_load(run(2))
    assert twice.chips == 16
    assert twice.idle_power_w == pytest.approx(2 * load.idle_power_w)


def test_full_frames_are_what_traffic_prints_of_them() -> None:
    full, frame = frame_load(run().prepared), traffic_document(run())["frame"]
    assert full is not None
    assert full.output_tokens_per_s == pytest.approx(frame["tokens_per_s"])
    assert full.input_tokens_per_s == pytest.approx(frame["prompt_tokens_per_s"])
    assert full.users == 4
    assert frame_load(run(policy="slots", windows=0).prepared) is None


def test_a_prompt_in_its_own_slot_takes_turns_of_it() -> None:
    served = run(policy="slots", windows=0)
    # Two chunks and four turns, all of a slot, also if a chunk needs less.
    assert traffic_load(served).input_share == pytest.approx(2 / 6)
    fleet = served.prepared.fleet
    narrow = replace(fleet.times, window_cycles=fleet.times.slot_cycles // 2)
    prepared = served.prepared._replace(fleet=replace(fleet, times=narrow))
    load = traffic_load(replace(served, prepared=prepared))
    assert load.input_share == pytest.approx(2 / 6)


def test_a_full_pipeline_has_no_prompts() -> None:
    scenario = scenario_of(
        {
            **{name: CONTENT[name] for name in ("model", "chips", "strategy")},
            "settings": CONTENT["settings"],
            "context": 64,
            "sequences": 4,
        },
        "test",
    )
    load = pipeline_load(plan_scenario(scenario))
    assert (load.input_tokens_per_s, load.input_share, load.users) == (0, 0, 4)
    frame = traffic_document(run())["frame"]
    without = frame["tokens_per_s_without_prompts"]
    assert load.output_tokens_per_s == pytest.approx(without)
    # What it draws beside its idle power are the operations of its turns.
    turn_j = run().prepared.fleet.times.turn_j
    assert turn_j is not None
    assert load.average_power_w is not None
    assert load.idle_power_w is not None
    dynamic_w = load.average_power_w - load.idle_power_w
    assert dynamic_w == pytest.approx(without * turn_j[-1])
    costed = costing(pipeline_loads(plan_scenario(scenario)), load_costs())
    assert costed.costs[0].known.input_usd_per_m_tokens is None
    assert costed.costs[0].known.output_usd_per_m_tokens is not None


def test_list_prices_are_those_of_the_family_and_size() -> None:
    names = [each.model for each in matching_prices(load_costs(), "llama-2-70b")]
    assert names == ["llama-3-70b", "llama-3.3-70b"]
    assert matching_prices(load_costs(), "gpt2") == ()


def leaves(document: Any, prefix: str = "") -> Iterator[str]:
    """Yield the keys of a document as the page writes them."""
    if isinstance(document, dict) and prefix != "inputs":
        for key, value in document.items():
            yield from leaves(value, f"{prefix}.{key}" if prefix else key)
    elif isinstance(document, list) and prefix in ("loads", "list_prices"):
        for each in document:
            yield from leaves(each, f"{prefix}[]")
    else:
        yield prefix


def test_every_key_of_the_document_is_on_the_page_of_keys() -> None:
    costed = costing(traffic_loads(run()), load_costs())
    document = cost_document(costed)
    seen = set(leaves(document))
    ranges = (".low", ".high")
    plain = {key.removesuffix(end) for key in seen for end in ranges if end in key}
    plain |= {key for key in seen if not key.endswith(ranges)}
    known = set(COST) - {key for key in COST if key.startswith("list_prices")}
    starred = tuple(key[:-1] for key in known if key.endswith("*"))
    assert {key for key in plain if not key.startswith(starred)} <= known | {
        "list_prices"
    }
    assert {key for key in known if not key.endswith("*")} <= plain
    assert set(document["prices"]) == set(prices_used(costed))
    json.dumps(document)


def test_a_point_that_does_not_fit_is_a_row_with_its_reason() -> None:
    request = CostRequest(CONTENT, True, load_costs(), {"context": [64, 10**6]})
    rows = [cost_row(*each) for each in cost_points(request)]
    assert [row["feasible"] for row in rows] == [True, False]
    assert rows[1]["reason"]
