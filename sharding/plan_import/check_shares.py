"""Even shares and memory of a table of slices, compared with the plan it describes."""

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
    """Check that the imported slices are the even shares of a plan.

    Parameters
    ----------
    table
        The slices of one replica. Messages name rows by the index.
    plan
        The plan with the stages and chips of the table.

    Raises
    ------
    PlanError
        If a chip holds a slice that is not its share, or lacks a share. The message
        names the row.
    """
    expected: dict[tuple[int, int, str], list[list[int]]] = {}
    for stage, chip, tensor, *share in plan.slices[_SHARE].itertuples(
        index=False, name=None
    ):
        # A chip has a share of each of the projections in a fused tensor.
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
                f"row {row}: chip {chip} holds {_edges(share)} of {tensor}; its even "
                f"share in stage {stage} is {' and '.join(map(_edges, even))}"
            )
        even.remove(share)
    for (stage, chip, tensor), lacking in expected.items():
        if lacking:
            row = table.index[table["stage"] == stage][0]
            raise PlanError(
                f"row {row}: stage {stage} begins here and chip {chip} lacks its share "
                f"of {tensor}"
            )


def _edges(share: list[int]) -> str:
    """Return the edges and the bytes of a share as text, for messages."""
    row, row_end, column, column_end, size = share
    return (
        f"rows {row}..{row_end - 1}, columns {column}..{column_end - 1} in {size:,} "
        "bytes"
    )


def check_edited_memory(table: pd.DataFrame, plan: ShardingPlan) -> None:
    """Check that each chip of an imported, edited plan fits in its SRAM.

    Raises
    ------
    PlanError
        If a chip does not fit. The message names its largest row.
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
