"""Whether the slices of a table are the even shares that a group computes with."""

import pandas as pd

from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError

_SHARE = [
    "stage",
    "chip",
    "tensor",
    "row_start",
    "row_end",
    "column_start",
    "column_end",
    "bytes",
]


def check_shares(table: pd.DataFrame, plan: ShardingPlan) -> None:
    """Refuse slices that are not the even shares which a group computes with.

    Raises
    ------
    PlanError
        If a chip has what it should not, or lacks what it should; the message names the
        row.
    """
    expected: dict[tuple[int, int, str], list[list[int]]] = {}
    for stage, chip, tensor, *share in plan.slices[_SHARE].itertuples(
        index=False, name=None
    ):
        # A fused tensor has a share of each of the projections in it.
        expected.setdefault((stage, chip, tensor), []).append(share)
    for row, stage, chip, tensor, *share in table[_SHARE].itertuples(name=None):
        even = expected.get((stage, chip, tensor))
        if not even:
            raise PlanError(
                f"row {row}: chip {chip} of stage {stage} has no share of {tensor}, or "
                f"has it already; a stage holds consecutive parts, shared out evenly"
            )
        if share not in even:
            raise PlanError(
                f"row {row}: chip {chip} holds {_said(share)} of {tensor}; its even "
                f"share in stage {stage} is {' and '.join(map(_said, even))}"
            )
        even.remove(share)
    for (stage, chip, tensor), lacking in expected.items():
        if lacking:
            row = table.index[table["stage"] == stage][0]
            raise PlanError(
                f"row {row}: stage {stage} begins here and chip {chip} lacks its share "
                f"of {tensor}"
            )


def _said(share: list[int]) -> str:
    row, row_end, column, column_end, size = share
    return (
        f"rows {row}..{row_end - 1}, columns {column}..{column_end - 1} in {size:,} "
        "bytes"
    )


def check_edited_memory(table: pd.DataFrame, plan: ShardingPlan) -> None:
    """Refuse a chip that holds more than its SRAM.

    Raises
    ------
    PlanError
        If one does; the message names the row that is largest.
    """
    limit = plan.task.machine.chip.sram_bytes
    for stage in plan.stages:
        total = stage.memory.total
        member = int(total.argmax())
        if total[member] > limit:
            chip = int(stage.chips[member])
            rows = table[table["chip"] == chip]
            raise PlanError(
                f"row {rows['bytes'].idxmax()}: chip {chip} of stage {stage.index} "
                f"needs {int(total[member]):,} bytes and has {limit:,}; move a part of "
                f"the stage to another, or shorten the context"
            )
