import pytest

from experiments.paired.machine_alone import MachineAlone
from experiments.paired.overlapped import (
    ACCEPTANCE,
    attention_point,
    draft_point,
    fastest_feed_forwards,
)
from experiments.pairing import QUICK_CASE
from experiments.run.speculative_decoding import tokens_per_step
from specs.pairing import Drafter, PairingLinkSpec
from specs.units import PS_PER_US

INSTANT = PairingLinkSpec(ports=1, port_gbps=None, latency_ns=0)
FAST = QUICK_CASE.paired_with(
    devices=10**9, layer_us=0.0, jitter=0.0, link=INSTANT, drafter=Drafter.DEVICES
)


def test_attention_on_fast_devices_leaves_the_feed_forwards() -> None:
    point = attention_point(FAST, lanes=1, batch=1, seed=1)
    cycles = sum(each.cycles for each in fastest_feed_forwards(FAST, 1))
    clock_hz = FAST.hardware.chip.clock_hz
    assert point.step_ps == pytest.approx(cycles / clock_hz * 1e12, rel=1e-3)
    # 3,072 columns of FP16, both ways, in 32 layers.
    assert point.link_bytes_per_token == 3072 * 2 * 2 * 32
    slower = FAST.paired_with(link=INSTANT.model_copy(update={"latency_ns": 1000}))
    behind = attention_point(slower, lanes=1, batch=1, seed=1)
    assert behind.step_ps - point.step_ps == pytest.approx(64 * PS_PER_US, rel=1e-3)


def test_fast_drafts_leave_the_pass_that_verifies() -> None:
    machine = MachineAlone(
        slots=4,
        slot_cycles=90_000,
        period_cycles=270_000,
        token_cycles=900_000,
        window_cycles=None,
        pass_cycles=None,
        certificate="",
    )
    point = draft_point(FAST, machine, lanes=1, batch=1, seed=1)
    assert point.step_ps == pytest.approx(1000 * PS_PER_US, rel=1e-3)
    assert point.tokens_per_step == tokens_per_step(ACCEPTANCE, 4)
    # Four tokens there and five back, of four bytes each.
    assert point.link_bytes_per_token == pytest.approx(36 / point.tokens_per_step)
    # Users of a lane follow each other after 100 us.
    three = draft_point(FAST, machine, lanes=1, batch=3, seed=1)
    assert three.step_ps == pytest.approx(1200 * PS_PER_US, rel=1e-3)
