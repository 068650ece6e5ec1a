"""What `check_rates` refuses: slices that are faster than they can be."""

from collections.abc import Callable

import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_work import LookupWork, ProductWork, VectorWork
from chip.program import OperatorKind
from compiler.hazard_rules.rates import check_rates
from specs.errors import VerificationError
from specs.machine import load_machine

MACHINE = load_machine()
VECTOR = VectorWork(6_400, 16, operations=4, passes=2)
PRODUCT = ProductWork(640 * 640, 640 * 640, 1, 8, 10_240, 10_240)
LOOKUP = LookupWork(40_000)
Kind = Callable[..., OperatorKind]


def hurried(
    work: VectorWork | ProductWork | LookupWork, port: SlicePort
) -> OperatorKind:
    """Return a kind in which slices of a port are taken for one cycle each."""
    steps = tuple(
        step._replace(duration_cycles=1) if step.port is port else step
        for step in lower(MACHINE.chip, work)
    )
    return OperatorKind(work, steps)


@pytest.mark.parametrize("work", [VECTOR, PRODUCT, LOOKUP])
def test_what_a_chip_can_do_holds(work: VectorWork | ProductWork | LookupWork) -> None:
    check_rates(3, OperatorKind(work, lower(MACHINE.chip, work)), MACHINE)


@pytest.mark.parametrize(
    ("work", "port", "why"),
    [
        # 20 rows of 320 lanes in each of two passes.
        (VECTOR, SlicePort.VXM, "VXM is taken for 2 cycles, and its work takes 40"),
        (VECTOR, SlicePort.MEM_WRITE, "MEM_WRITE ends at cycle"),
        (PRODUCT, SlicePort.MXM_MULTIPLY, "MXM_MULTIPLY is taken for 1 cycles"),
        (PRODUCT, SlicePort.MXM_INSTALL, "MXM_INSTALL ends at cycle"),
        (PRODUCT, SlicePort.MXM_ACCUMULATE, "MXM_ACCUMULATE ends at cycle"),
        (PRODUCT, SlicePort.MEM_WRITE, "MEM_WRITE ends at cycle"),
        (LOOKUP, SlicePort.MEM_WRITE, "MEM_WRITE ends at cycle"),
    ],
)
def test_slices_that_are_too_fast_are_refused(
    work: VectorWork | ProductWork | LookupWork, port: SlicePort, why: str
) -> None:
    with pytest.raises(VerificationError, match=rf"operator kind 3: {why}"):
        check_rates(3, hurried(work, port), MACHINE)


def test_weights_that_are_not_installed_are_refused() -> None:
    steps = tuple(
        step
        for step in lower(MACHINE.chip, PRODUCT)
        if step.port is not SlicePort.MXM_INSTALL
    )
    with pytest.raises(
        VerificationError, match="0 bytes are installed, 409,600 are asked for"
    ):
        check_rates(0, OperatorKind(PRODUCT, steps), MACHINE)
