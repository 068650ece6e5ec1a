"""Error model of links: independent bit errors, or bursts."""

import numpy as np
from numpy.typing import NDArray

from fabric.links.burst_channel import BurstChannel
from fabric.links.fec import CodewordOdds, codeword_odds, train_odds
from specs.machine import MachineSpec


def codeword_outcome(machine: MachineSpec) -> CodewordOdds:
    """Return the outcome probabilities of one codeword on the machine's links.

    A run draws the number of corrected codewords of a train from the binomial
    distribution with these odds. With bursts its mean is exact; its variance is a
    little too small, since a burst may affect two neighbouring codewords. Whether a
    train is damaged is drawn from `uncorrectable_odds`, which is exact.
    """
    code, link = machine.fec.parameters, machine.link
    if link.errors == "bursts":
        return BurstChannel.of(link).codeword_odds(code)
    return codeword_odds(code, link.ber)


def uncorrectable_odds(
    machine: MachineSpec, count: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the odds of an uncorrectable FEC codeword in a train on a link.

    Parameters
    ----------
    machine
        Code, bit error rate and error model.
    count
        Codewords of each train, shape ``(trains,)`` as the result.
    """
    code, link = machine.fec.parameters, machine.link
    if link.errors == "bursts":
        return BurstChannel.of(link).train_odds(code, count)
    return train_odds(codeword_odds(code, link.ber).uncorrectable, count)


def describe_error_model(machine: MachineSpec) -> str:
    """Return a one-line description of the links' error model.

    >>> from specs.machine import load_machine
    >>> describe_error_model(load_machine())
    'independent bit errors at a rate of 1e-12, code secded'
    >>> describe_error_model(load_machine().with_settings({"link.errors": "bursts"}))
    'bursts of 10 bits, bit error rate 1e-12, code secded'
    """
    link, code = machine.link, machine.fec.code
    if link.errors == "bursts":
        return (
            f"bursts of {link.burst_bits:g} bits, bit error rate {link.ber:g}, "
            f"code {code}"
        )
    return f"independent bit errors at a rate of {link.ber:g}, code {code}"
