"""Cost of a workload in closed form: multiply-accumulates and bytes, for any split."""

from typing import NamedTuple

from chip.mxm_tiling import mxm_macs_per_cycle
from sharding.workloads.tensor_layout import (
    format_of,
    product_mode,
    scheduled_matrices,
)
from specs.graph import Lookup, Matmul, Operator, Role
from specs.machine import MachineSpec
from specs.machine_formats import FormatsSpec
from workloads.graphs.workload import Workload


class WorkloadCost(NamedTuple):
    """Cost of an operator, summed over all chips.

    Attributes
    ----------
    macs
        Multiply-accumulates that the result needs.
    read_bytes
        Bytes of operands, each read once. Chosen weights count as many matrices as a
        schedule has room for, tables the rows that are looked up.
    written_bytes
        Bytes of results.
    """

    macs: int
    read_bytes: int
    written_bytes: int


def operator_work(
    workload: Workload, formats: FormatsSpec, operator: Operator
) -> WorkloadCost:
    """Return the cost of one operator of a workload's graph."""
    tensors = workload.by_name
    read = {name: tensors[name].elements for name in operator.reads}
    macs = 0
    if isinstance(operator, Matmul):
        right, first = tensors[operator.right], tensors[operator.left[0]]
        macs = tensors[operator.output].elements * right.rows
        if right.role is Role.WEIGHTS:
            used = scheduled_matrices(operator, right, first.matrices * first.rows)
            read[right.name] = used * right.rows * right.columns
    elif isinstance(operator, Lookup):
        rows_elements = tensors[operator.output].elements
        read |= dict.fromkeys(operator.tables, rows_elements)
    return WorkloadCost(
        macs=macs,
        read_bytes=sum(
            format_of(tensors[name], formats).bytes_of(elements)
            for name, elements in read.items()
        ),
        written_bytes=sum(
            format_of(tensors[name], formats).bytes_of(tensors[name].elements)
            for name in operator.makes
        ),
    )


def workload_work(workload: Workload, formats: FormatsSpec) -> WorkloadCost:
    """Return the sum of the costs of all operators of a workload's graph."""
    works = [operator_work(workload, formats, each) for each in workload.operators]
    return WorkloadCost(*(sum(column) for column in zip(*works, strict=True)))


def least_mxm_cycles(workload: Workload, machine: MachineSpec) -> float:
    """Return the MXM cycles of a graph's products on one chip at its peak rate."""
    products = [each for each in workload.operators if isinstance(each, Matmul)]
    return sum(
        operator_work(workload, machine.formats, product).macs
        / mxm_macs_per_cycle(machine.chip, product_mode(workload, machine, product))
        for product in products
    )
