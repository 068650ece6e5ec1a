import pytest

from specs.errors import SpecError
from tests.serving.round_times import round_times


def test_a_context_takes_the_smallest_bucket_that_holds_it() -> None:
    names = ("slot", "period", "token", "window", "pass", "token_lag", "pass_lag")
    arrays = {f"{name}_cycles": [1, 2] for name in (*names, "paced_pass")}
    times = round_times(
        **arrays,
        paced_windows=[0, 0],
        context_tokens=[100, 200],
        decode_certificates=("a", "b"),
        chunk_certificates=("a", "b"),
    )
    assert [times.bucket_of(context) for context in (1, 100, 101, 200)] == [0, 0, 1, 1]
    with pytest.raises(SpecError, match="201 positions is beyond the largest bucket"):
        times.bucket_of(201)


def test_a_call_takes_its_latency_and_four_bytes_for_each_position() -> None:
    times = round_times()
    # 10 ns, and a byte takes 1 ns.
    assert times.host_in_ps(25) == 110_000
    assert times.host_out_ps == 14_000
    assert times.restore_ps(3) == 3_010_000
    assert times.restore_ps(0) == 0


def test_buckets_must_agree_and_ascend() -> None:
    with pytest.raises(SpecError, match="slot_cycles has 2 buckets"):
        round_times(slot_cycles=[1, 2])
    with pytest.raises(SpecError, match="must ascend"):
        round_times(
            **{
                name: [1, 1]
                for name in (
                    "context_tokens",
                    "slot_cycles",
                    "period_cycles",
                    "token_cycles",
                    "window_cycles",
                    "pass_cycles",
                    "token_lag_cycles",
                    "pass_lag_cycles",
                    "paced_windows",
                    "paced_pass_cycles",
                )
            },
            decode_certificates=("a", "b"),
            chunk_certificates=("a", "b"),
        )
