from compiler.search.search_space import (
    GROQRACK,
    MachineShape,
    machine_shape,
    splits,
    strategies_on,
    widths,
)
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from specs.model import load_model
from topologies.selection import select_topology


def test_up_to_two_nodes_attention_may_be_on_any_divisor_of_a_group() -> None:
    found = splits(load_model("llama-2-70b"), 12)
    assert {split.attention for split in found} == {0, 1, 2, 3, 4, 6}
    assert {split.layout for split in found} == set(FeedForwardLayout)


def test_beyond_it_is_on_a_node_or_where_no_two_chips_share_a_head() -> None:
    found = splits(load_model("llama-2-7b"), 96)
    assert {split.attention for split in found} == {0, 32}
    assert {split.attention for split in splits(load_model("llama-2-7b"), 72)} == {0, 8}


def test_a_grid_in_a_wide_group_takes_whole_nodes() -> None:
    model = load_model("llama-2-70b")
    assert FeedForwardLayout.TWO_D in {split.layout for split in splits(model, 72)}
    assert FeedForwardLayout.TWO_D not in {split.layout for split in splits(model, 60)}


def test_only_a_mixture_is_split_into_groups_of_experts() -> None:
    assert {s.expert for s in splits(load_model("mixtral-8x7b"), 12)} == {1, 2, 4}
    assert {s.expert for s in splits(load_model("llama-2-70b"), 12)} == {1}


def test_up_to_sixteen_racks_a_group_may_have_any_width() -> None:
    assert widths(1152, load_model("llama-2-70b")) == list(range(1, 1153))
    assert widths(3, load_model("llama-2-70b")) == [1, 2, 3]


def test_on_larger_machines_groups_wider_than_a_rack_are_of_whole_nodes() -> None:
    evaluated = widths(10440, load_model("llama-2-70b"))
    assert evaluated[:72] == list(range(1, 73))
    assert evaluated[72:] == list(range(80, 8192 + 1, 8))


def test_the_shape_of_a_machine_is_that_of_its_nodes_and_racks() -> None:
    assert machine_shape(select_topology(144)) == MachineShape(8, 72)
    assert machine_shape(select_topology(72)) == GROQRACK
    # A rack of 16 groups of sixteen chips.
    assert machine_shape(select_topology(256, "lpx")).node_chips == 16


def test_a_machine_without_nodes_has_the_shape_of_a_groqrack() -> None:
    assert machine_shape(select_topology(8)) == GROQRACK
    assert machine_shape(select_topology(8, "torus")) == GROQRACK


def test_the_limits_of_the_space_follow_from_the_shape() -> None:
    shape = MachineShape(node_chips=16, rack_chips=64)
    assert (shape.few_chips, shape.most_every_width) == (32, 1024)
    model = load_model("llama-2-70b")
    assert widths(1024, model, shape)[-1] == 1024
    assert widths(1025, model, shape)[62:66] == [63, 64, 80, 96]


def test_a_plain_space_has_the_default_split_only() -> None:
    model = load_model("llama-2-70b")
    assert splits(model, 12, plain=True) == [Strategy(tensor=12, pipeline=1)]


def test_strategies_on_so_many_chips_take_all_of_them_and_plain_ones_come_first() -> (
    None
):
    gpt2 = load_model("gpt2")
    found = list(strategies_on(gpt2, 4))
    assert {each.chips for each in found} == {4}
    assert [str(each) for each in found[:3]] == [
        "tensor=1,pipeline=4",
        "tensor=2,pipeline=2",
        "tensor=4,pipeline=1",
    ]
    assert len(found) == len(set(found)) == sum(len(splits(gpt2, w)) for w in (1, 2, 4))
