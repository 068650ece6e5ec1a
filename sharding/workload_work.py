"""What each operator of a workload takes, in closed form and whatever the split."""

from typing import NamedTuple

from chip.tiling import mxm_macs_per_cycle
from sharding.residence import fed_bytes, format_of, scheduled_matrices
from sharding.workload_plan import WorkloadPlan
from specs.graph import Lookup, Matmul, Operator, Role


class Work(NamedTuple):
    """What an operator takes, all chips together.

    Attributes
    ----------
    macs
        Multiply-accumulates that the result needs.
    read_bytes
        Operands, each read once; of chosen weights those that a schedule has room for,
        of tables the rows that are looked up.
    written_bytes
        Results.
    """

    macs: int
    read_bytes: int
    written_bytes: int


def operator_work(plan: WorkloadPlan, operator: Operator) -> Work:
    """Return what an operator of the plan's workload takes."""
    tensors, formats = plan.workload.by_name, plan.machine.formats
    taken = {name: tensors[name].elements for name in operator.reads}
    macs = 0
    if isinstance(operator, Matmul):
        right, first = tensors[operator.right], tensors[operator.left[0]]
        macs = tensors[operator.output].elements * right.rows
        if right.role is Role.WEIGHTS:
            used = scheduled_matrices(operator, right, first.matrices * first.rows)
            taken[right.name] = used * right.rows * right.columns
    elif isinstance(operator, Lookup):
        looked_up = tensors[operator.output].elements
        taken |= dict.fromkeys(operator.tables, looked_up)
    return Work(
        macs=macs,
        read_bytes=sum(
            format_of(tensors[name], formats).bytes_of(elements)
            for name, elements in taken.items()
        ),
        written_bytes=sum(
            format_of(tensors[name], formats).bytes_of(tensors[name].elements)
            for name in operator.makes
        ),
    )


def workload_work(plan: WorkloadPlan) -> Work:
    """Return what all operators of a workload take together."""
    works = [operator_work(plan, operator) for operator in plan.workload.operators]
    return Work(*(sum(column) for column in zip(*works, strict=True)))


def least_mxm_cycles(plan: WorkloadPlan) -> float:
    """Return the cycles in which all chips at their peak do the multiplications."""
    products = [op for op in plan.workload.operators if isinstance(op, Matmul)]
    return sum(
        operator_work(plan, product).macs
        / mxm_macs_per_cycle(
            plan.machine.chip, fed_bytes(plan.workload, plan.machine, product)
        )
        / plan.strategy.chips
        for product in products
    )
