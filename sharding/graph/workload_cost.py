"""What each operator of a workload takes, in closed form and whatever the split."""

from typing import NamedTuple

from chip.mxm_tiling import mxm_macs_per_cycle
from sharding.graph.tensor_layout import fed_bytes, format_of, scheduled_matrices
from specs.graph import Lookup, Matmul, Operator, Role
from specs.machine import FormatsSpec, MachineSpec
from specs.workload import Workload


class WorkloadCost(NamedTuple):
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


def operator_work(
    workload: Workload, formats: FormatsSpec, operator: Operator
) -> WorkloadCost:
    """Return what an operator of a workload takes."""
    tensors = workload.by_name
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
    return WorkloadCost(
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


def workload_work(workload: Workload, formats: FormatsSpec) -> WorkloadCost:
    """Return what all operators of a workload take together."""
    works = [operator_work(workload, formats, each) for each in workload.operators]
    return WorkloadCost(*(sum(column) for column in zip(*works, strict=True)))


def least_mxm_cycles(workload: Workload, machine: MachineSpec) -> float:
    """Return the cycles in which one chip at its peak does all multiplications."""
    products = [each for each in workload.operators if isinstance(each, Matmul)]
    return sum(
        operator_work(workload, machine.formats, product).macs
        / mxm_macs_per_cycle(machine.chip, fed_bytes(workload, machine, product))
        for product in products
    )
