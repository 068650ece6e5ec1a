from collections.abc import Callable

import numpy as np
import pytest

from compiler.ir.schedule import Schedule
from fabric.faults.fault_script import Outages
from fabric.faults.link_errors import LinkErrors
from fabric.links.burst_channel import BurstChannel
from fabric.links.error_model import (
    codeword_outcome,
    describe_error_model,
    uncorrectable_odds,
)
from fabric.links.fec import codeword_odds, codewords
from fabric.random_streams import Draws
from specs.machine import load_machine

Compile = Callable[..., Schedule]
NO_OUTAGES = Outages(
    stop_cycle=np.zeros(0, dtype=np.int64),
    dead_cycle=np.zeros(0, dtype=np.int64),
    rates=(),
)


def test_bit_errors_are_independent_unless_bursts_are_asked_for() -> None:
    machine = load_machine()
    code = machine.fec.parameters
    assert codeword_outcome(machine) == codeword_odds(code, machine.link.ber)
    asked = machine.with_settings({"link.errors": "bursts"})
    bursts = BurstChannel.of(asked.link)
    assert codeword_outcome(asked) == bursts.codeword_odds(code)


def test_bursts_defeat_a_code_that_repairs_single_bits() -> None:
    machine = load_machine().with_settings({"link.ber": 1e-8})
    bursts = machine.with_settings({"link.errors": "bursts"})
    count = np.array([1, 7, 13])
    assert (
        uncorrectable_odds(bursts, count) > 1e3 * uncorrectable_odds(machine, count)
    ).all()


def test_without_a_code_bursts_damage_fewer_trains() -> None:
    machine = load_machine().with_settings({"link.ber": 1e-8, "fec.code": "none"})
    bursts = machine.with_settings({"link.errors": "bursts"})
    count = np.array([1, 7, 13])
    # The same wrong bits lie closer together.
    assert (
        uncorrectable_odds(bursts, count) < uncorrectable_odds(machine, count) / 2
    ).all()


@pytest.mark.parametrize("code", ["secded", "rs528"])
def test_links_damage_and_repair_as_often_as_the_odds_of_bursts_say(
    compiled: Compile, code: str
) -> None:
    settings = {"link__errors": "bursts", "link__ber": 1e-3, "fec__code": code}
    schedule = compiled(2, 2, link__burst_bits=30, **settings)
    machine, program = schedule.plan.task.machine, schedule.program
    errors = LinkErrors(machine, program, Draws(1), NO_OUTAGES)
    rounds = 600
    count = codewords(
        machine.fec.parameters, program.trains.vectors, machine.protected_bytes
    )
    damaged = [len(errors.damaged(k, 0)) for k in range(rounds)]
    repaired = [int(errors.corrected(k, 0).codewords.sum()) for k in range(rounds)]
    for odds, drawn in (
        (uncorrectable_odds(machine, count), damaged),
        (count * codeword_outcome(machine).corrected, repaired),
    ):
        expected, hits = rounds * float(odds.sum()), sum(drawn)
        assert expected > 100
        assert hits == pytest.approx(expected, abs=4 * expected**0.5)


def test_a_report_names_errors_rate_and_code() -> None:
    machine = load_machine().with_settings({"link.ber": 1e-9, "fec.code": "rs544"})
    bursts = machine.with_settings({"link.errors": "bursts", "link.burst_bits": 20})
    assert [describe_error_model(each) for each in (machine, bursts)] == [
        "independent bit errors at a rate of 1e-09, code rs544",
        "bursts of 20 bits, bit error rate 1e-09, code rs544",
    ]
