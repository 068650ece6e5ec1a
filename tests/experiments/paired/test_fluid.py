import pytest

from experiments.paired.case import Case
from experiments.paired.fluid import (
    alone,
    devices_alone,
    devices_hold,
    first_tokens,
    prefilled,
)
from experiments.paired.machine_alone import MachineAlone
from experiments.pairing import CASES, QUICK_CASE
from specs.units import PS_PER_US

MACHINE = MachineAlone(
    slots=4,
    slot_cycles=90_000,
    period_cycles=270_000,
    token_cycles=250_000,
    window_cycles=45_000,
    pass_cycles=500_000,
    certificate="",
)
# Their times depend on neither.
FAST = QUICK_CASE.paired_with(devices=10_000, layer_us=0.0)
SLOW = QUICK_CASE.paired_with(devices=1, attained_compute=1e-4)


def test_prompts_on_the_machine_take_a_share_of_each_frame() -> None:
    # 16 windows a prompt and 256 tokens an answer: a sixteenth of a window a token.
    point = alone(QUICK_CASE, MACHINE, 4)
    assert point is not None
    assert point.step_ps == pytest.approx((4 * 100 + 4 / 16 * 50) * PS_PER_US)
    assert point.machine_busy == 1
    assert (point.chips, point.devices, point.link_bytes_per_token) == (64, 0, 0)
    one = alone(QUICK_CASE, MACHINE, 1)
    assert one is not None
    assert one.step_ps == pytest.approx(300 * PS_PER_US)
    assert one.machine_busy == pytest.approx((100 + 50 / 16) / 300)


def test_prompts_on_fast_devices_leave_the_decode_frame() -> None:
    point = prefilled(FAST, MACHINE, 4)
    assert point.step_ps == pytest.approx(400 * PS_PER_US)
    # 32 layers of 3,072 keys and as many values in FP16, and 4 positions for a token.
    assert point.link_bytes_per_token == 32 * 2 * 3072 * 2 * 4
    slow = prefilled(SLOW, MACHINE, 4)
    assert slow.devices_busy == 1
    assert slow.step_ps == pytest.approx(4 * SLOW.prompt_ps / 256)


def test_first_tokens_wait_for_devices_alone() -> None:
    found = first_tokens(FAST, MACHINE, 4, seed=1)
    # Jitter of 2 % around the mean, and hardly ever another prompt ahead.
    alone_ms = FAST.prompt_ps / PS_PER_US / 1000
    assert found["p50_ttft_ms"] == pytest.approx(alone_ms, rel=0.01)
    assert found["p99_ttft_ms"] >= found["p50_ttft_ms"]
    assert found == first_tokens(FAST, MACHINE, 4, seed=1)


def test_devices_hold_only_so_many_caches() -> None:
    assert devices_hold(QUICK_CASE, 1)
    # 8 x 80 GB less weights, over 0.8 GB of a window of 2,047 a user.
    assert not devices_hold(QUICK_CASE, 900)
    assert devices_alone(QUICK_CASE, 900) is None
    few, many = (devices_alone(QUICK_CASE, users) for users in (1, 100))
    assert few is not None
    assert many is not None
    assert few.per_user > many.per_user


def test_power_that_is_not_published_gives_no_rate_per_megawatt() -> None:
    point = alone(QUICK_CASE, MACHINE, 1)
    assert point is not None
    lpx: Case = next(case for case in CASES if case.machine == "lpx")
    row = point.row(lpx)
    assert row["power_mw"] is row["tokens_per_s_per_mw"] is None
    assert point.row(QUICK_CASE)["power_mw"] == pytest.approx(64 * 215 / 1e6)
