"""What `check_rates` refuses: slices that are faster than they can be."""

import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_work import LoadWork, LookupWork, ProductWork, Shape, VectorWork
from chip.program import OperatorKind
from compiler.hazard_rules.rates import check_rates
from specs.errors import VerificationError
from specs.machine import load_machine

MACHINE = load_machine()
VECTOR = VectorWork(6_400, 16, operations=4, passes=2)
REDUCED = VectorWork(320, 16, reductions=1)
MOVED = VectorWork(6_400, 16, reorders=True)
# Two rounds of full tiles, eight rows.
PRODUCT = ProductWork(Shape((640,), (1280,)), 8, 640 * 1280, 1, 10_240, 20_480)
CHAINED = PRODUCT._replace(chain=VectorWork(8 * 1280, 16, passes=2))
LOAD = LoadWork(rounds=2, round_cycles=40, stored_bytes=640 * 1280)
LOOKUP = LookupWork(40_000)
Work = VectorWork | ProductWork | LoadWork | LookupWork


def hurried(work: Work, port: SlicePort) -> OperatorKind:
    """Return a kind in which slices of a port are taken for one cycle each."""
    steps = tuple(
        step._replace(duration_cycles=1) if step.port is port else step
        for step in lower(MACHINE.chip, work)
    )
    return OperatorKind(work, steps)


@pytest.mark.parametrize(
    "work", [VECTOR, REDUCED, MOVED, PRODUCT, CHAINED, LOAD, LOOKUP]
)
def test_what_a_chip_can_do_holds(work: Work) -> None:
    check_rates(3, OperatorKind(work, lower(MACHINE.chip, work)), MACHINE)


@pytest.mark.parametrize(
    ("work", "port", "why"),
    [
        # 20 rows of 320 lanes in each of two passes.
        (VECTOR, SlicePort.VXM, ": VXM is taken for 2 cycles, and its work takes 40"),
        (VECTOR, SlicePort.MEM_WRITE, ": MEM_WRITE ends at cycle"),
        # 320 lanes are halved nine times, 30 cycles each.
        (REDUCED, SlicePort.SXM, ": SXM is taken for 1 cycles, and its work takes 270"),
        # There and back.
        (MOVED, SlicePort.SXM, ": SXM is taken for 2 cycles, and its work takes 40"),
        (
            PRODUCT,
            SlicePort.MXM_MULTIPLY,
            " multiplies round 0 in 1 cycles, .* takes 8",
        ),
        (PRODUCT, SlicePort.MXM_INSTALL, " installs round 0 in 1 cycles, .* takes 12"),
        (PRODUCT, SlicePort.MXM_LOAD, " loads round 0 in 1 cycles, and it takes 40"),
        (PRODUCT, SlicePort.MXM_ACCUMULATE, ": MXM_ACCUMULATE ends at cycle"),
        (PRODUCT, SlicePort.MEM_WRITE, ": MEM_WRITE ends at cycle"),
        # Eight rows of four vectors, twice.
        (CHAINED, SlicePort.VXM, ": VXM is taken for 1 cycles, and its work takes 64"),
        (LOAD, SlicePort.MXM_LOAD, " loads round 0 in 1 cycles, and it takes 40"),
        (LOOKUP, SlicePort.MEM_WRITE, ": MEM_WRITE ends at cycle"),
    ],
)
def test_slices_that_are_too_fast_are_refused(
    work: Work, port: SlicePort, why: str
) -> None:
    with pytest.raises(VerificationError, match=rf"operator kind 3{why}"):
        check_rates(3, hurried(work, port), MACHINE)


def test_fewer_reductions_than_asked_are_refused() -> None:
    # Only one of the two of a softmax.
    steps = lower(MACHINE.chip, REDUCED)
    kind = OperatorKind(REDUCED._replace(reductions=2), steps)
    with pytest.raises(
        VerificationError, match=r"MEM_WRITE ends at cycle 341, .* before cycle 611$"
    ):
        check_rates(0, kind, MACHINE)
    late = [
        step._replace(start_cycle=step.start_cycle + 270)
        if step.port is SlicePort.MEM_WRITE
        else step
        for step in steps
    ]
    with pytest.raises(
        VerificationError, match="SXM is taken for 270 cycles, and its work takes 540"
    ):
        check_rates(0, kind._replace(steps=tuple(late)), MACHINE)


@pytest.mark.parametrize("vectors", [0, 6_401])
def test_vectors_without_elements_are_refused(vectors: int) -> None:
    steps = lower(MACHINE.chip, VECTOR)
    wrong = VECTOR._replace(vectors=vectors)
    with pytest.raises(
        VerificationError, match=rf"kind 3: 6,400 elements are not {vectors} vectors"
    ):
        check_rates(3, OperatorKind(wrong, steps), MACHINE)
    chained = PRODUCT._replace(chain=wrong)
    with pytest.raises(VerificationError, match=rf"are not {vectors} vectors"):
        check_rates(3, OperatorKind(chained, lower(MACHINE.chip, PRODUCT)), MACHINE)


def test_a_product_without_the_fill_is_refused() -> None:
    # Two rounds of 40 + 12 + 8 cycles behind a part of the fill, and nothing after.
    done = 38 + 2 * 60
    steps = tuple(
        step._replace(duration_cycles=done - step.start_cycle)
        if step.port in {SlicePort.MXM_ACCUMULATE, SlicePort.MEM_WRITE}
        else step
        for step in lower(MACHINE.chip, PRODUCT)
    )
    with pytest.raises(
        VerificationError, match=r"MEM_WRITE ends at cycle 158, .* before cycle 350$"
    ):
        check_rates(0, OperatorKind(PRODUCT, steps), MACHINE)


def test_a_chain_within_the_fill_of_its_product_is_refused() -> None:
    # The VXM takes 64 cycles on top of the 350 of the product; here, all but two of
    # them pass while the product drains.
    steps = tuple(
        step._replace(start_cycle=step.start_cycle - 62)
        if step.port in {SlicePort.VXM, SlicePort.MEM_WRITE}
        else step
        for step in lower(MACHINE.chip, CHAINED)
    )
    with pytest.raises(
        VerificationError, match=r"MEM_WRITE ends at cycle 352, .* before cycle 414$"
    ):
        check_rates(0, OperatorKind(CHAINED, steps), MACHINE)


def test_weights_that_are_not_installed_are_refused() -> None:
    steps = tuple(
        step
        for step in lower(MACHINE.chip, PRODUCT)
        if step.port is not SlicePort.MXM_INSTALL
    )
    with pytest.raises(
        VerificationError, match="installs 0 rounds of tiles, 2 are asked for"
    ):
        check_rates(0, OperatorKind(PRODUCT, steps), MACHINE)
