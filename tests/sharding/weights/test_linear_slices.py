import numpy as np

from sharding.parallelism.strategy import parse_strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, group_of
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import plan_sharding
from sharding.weights.group_slices import GroupSlices
from sharding.weights.linear_slices import linear_slices
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology

AT = "model.layers.0.linear_attn."


def rows(
    model: ModelSpec, tensor: int, attention: int = 0
) -> dict[str, list[list[tuple[int, int]]]]:
    """Return the rows that each chip has of the parts of each tensor."""
    assert model.linear is not None
    group = group_of(tensor, 1, attention, FeedForwardLayout.ONE_D)
    held: dict[str, list[list[tuple[int, int]]]] = {}
    for part in linear_slices(GroupSlices(model, group), model.linear, 0):
        edges = list(zip(part.row_start.tolist(), part.row_end.tolist(), strict=True))
        held.setdefault(part.tensor, []).append(edges)
    return held


def test_projections_and_channels_are_split_by_key_heads(
    linear_model: ModelSpec,
) -> None:
    held = rows(linear_model, 2)
    # 24 queries, 24 keys and 40 values, one behind the other; two key heads a chip.
    parts = [[(0, 12), (12, 24)], [(24, 36), (36, 48)], [(48, 68), (68, 88)]]
    assert held[f"{AT}in_proj_qkv.weight"] == parts
    assert held[f"{AT}conv1d.weight"] == parts
    assert held[f"{AT}in_proj_z.weight"] == [[(0, 20), (20, 40)]]
    assert held[f"{AT}in_proj_a.weight"] == [[(0, 4), (4, 8)]]
    assert held[f"{AT}out_proj.weight"] == [[(0, 64), (0, 64)]]


def test_chips_without_heads_have_nothing_but_the_norm(linear_model: ModelSpec) -> None:
    held = rows(linear_model, 4, attention=2)
    assert held[f"{AT}in_proj_z.weight"][0][2:] == [(0, 0), (0, 0)]


def test_all_parameters_are_held_once(linear_model: ModelSpec) -> None:
    for text in ("tensor=4,pipeline=1", "tensor=3,pipeline=2"):
        split = parse_strategy(text, 8)
        chips = select_topology(8).active[: split.chips].astype(np.int64)
        task = Task(linear_model, load_machine(), 1, 8, 1).split_as(split)
        slices = plan_sharding(task, split, chips).slices
        own = slices[~slices["tensor"].str.endswith("(copies)")]
        assert check_coverage(own) == linear_model.parameters
