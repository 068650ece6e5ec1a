from hypothesis import given
from hypothesis import strategies as st

from sharding.weights.blocks import Block, BlockKind, merged, model_units, whole_blocks
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

MACHINE = load_machine()


def test_a_block_has_its_parts_of_a_dimension() -> None:
    middle = Block(BlockKind.FEED_FORWARD, 0, 1, 3, 4)
    assert middle.range_of(10) == (2, 7)
    assert (middle.opens, middle.closes) == (False, False)


def test_only_the_first_part_opens_and_only_the_last_closes() -> None:
    parts = [Block(BlockKind.HEAD, 2, part, part + 1, 3) for part in range(3)]
    assert [part.opens for part in parts] == [True, False, False]
    assert [part.closes for part in parts] == [False, False, True]


@given(model=..., tensor=st.integers(1, 8), pipeline=st.integers(1, 12))
def test_the_units_of_a_model_join_to_its_whole_modules_in_order(
    model: ModelSpec, tensor: int, pipeline: int
) -> None:
    units = model_units(model, MACHINE, tensor=tensor, pipeline=pipeline)
    assert len(units) >= pipeline
    assert all(unit.last == unit.first + 1 for unit in units)
    blocks = merged(units)
    assert all(block.opens and block.closes for block in blocks)
    layers = [
        (kind, layer)
        for layer in range(model.layers)
        for kind in (BlockKind.ATTENTION, BlockKind.FEED_FORWARD)
    ]
    assert [(block.kind, block.layer) for block in blocks] == [
        (BlockKind.EMBEDDING, -1),
        *layers,
        (BlockKind.HEAD, model.layers),
    ]


def test_parts_of_different_layers_or_with_a_gap_between_are_not_joined() -> None:
    first = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 4)
    next_part = first._replace(first=1, last=2)
    later_part = first._replace(first=3, last=4)
    other_layer = first._replace(layer=1)
    assert merged([first, next_part, later_part, other_layer]) == (
        first._replace(last=2),
        later_part,
        other_layer,
    )


def test_a_feed_forward_has_eight_parts_or_enough_for_the_stages(
    tiny: ModelSpec,
) -> None:
    def parts(pipeline: int) -> int:
        units = model_units(tiny, MACHINE, tensor=1, pipeline=pipeline)
        return next(u.parts for u in units if u.kind is BlockKind.FEED_FORWARD)

    # 12 stages beyond the two layers' attention: 2 x 12 / 2 parts.
    assert [parts(1), parts(10), parts(14)] == [8, 8, 12]


def test_a_model_is_its_whole_modules_in_order() -> None:
    blocks = whole_blocks(load_model("llama-2-7b"))
    assert len(blocks) == 2 + 2 * 32
    assert (blocks[0].kind, blocks[-1].kind) == (BlockKind.EMBEDDING, BlockKind.HEAD)
    assert all(block.opens and block.closes for block in blocks)
