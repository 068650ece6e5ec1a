from pathlib import Path

import numpy as np
import pytest

from serving.requests.request_table import Tier
from serving.requests.traffic_spec import TrafficSpec, TurnLaw, traffic
from specs.errors import SpecError
from specs.validation import build


def spec(**content: object) -> TrafficSpec:
    return build(TrafficSpec, {"requests": 500, **content}, "traffic")


def test_the_same_seed_gives_the_same_requests_and_another_gives_others() -> None:
    length = {"kind": "lognormal", "median": 100, "sigma": 1}
    one, same, other = (
        traffic(spec(prompt=length), seed=seed).requests for seed in (1, 1, 2)
    )
    assert (one.prompt_tokens == same.prompt_tokens).all()
    assert (one.arrival_ps == same.arrival_ps).all()
    assert not (one.arrival_ps == other.arrival_ps).all()


def test_what_is_drawn_beside_moves_no_arrival() -> None:
    plain = traffic(spec(), seed=1).requests
    more = traffic(
        spec(classes=3, tenants=2, flex_share=0.5, prefix_groups=4, prefix_tokens=64),
        seed=1,
        block_tokens=16,
        law=TurnLaw(3, 0.5),
    ).requests
    assert (plain.arrival_ps == more.arrival_ps).all()
    assert set(more.kind) == {0, 1, 2}
    assert (more.tier == Tier.FLEX).mean() == pytest.approx(0.5, abs=0.1)
    assert (more.turns < plain.turns).all()
    assert {len(each) for each in more.blocks} == {4}
    assert len({each[0] for each in more.blocks}) == 4


def test_a_trace_is_read(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text('{"timestamp": 7, "prompt_tokens": 3, "output_tokens": 2}\n')
    read = traffic(spec(arrivals="trace", trace=str(path)), seed=1)
    assert read.requests.prompt_tokens.tolist() == [3]
    assert read.failed_in_trace == 0
    assert isinstance(read.requests.turns, np.ndarray)


def test_traffic_that_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="give both or neither"):
        spec(arrivals="trace")
    with pytest.raises(SpecError, match="needs max_concurrency"):
        spec(arrivals="closed")
    with pytest.raises(SpecError, match="did you mean 'rate_per_s'"):
        spec(rate_per_h=3)
