from hypothesis import given
from hypothesis import strategies as st

from serving.wire.prompt_blocks import prompt_blocks

TOKENS = st.lists(st.sampled_from(["a", "b", 1, 2]), max_size=12)


@given(TOKENS, TOKENS, st.integers(1, 4))
def test_prompts_share_the_blocks_up_to_which_they_are_equal(
    left: list[str | int], right: list[str | int], size: int
) -> None:
    blocks = prompt_blocks(left, size), prompt_blocks(right, size)
    assert [len(each) for each in blocks] == [len(left) // size, len(right) // size]
    shared = 0
    while blocks[0][shared : shared + 1] == blocks[1][shared : shared + 1] != []:
        shared += 1
    end = shared * size
    assert left[:end] == right[:end]
    if min(map(len, blocks)) > shared:
        assert left[: end + size] != right[: end + size]
    # Behind the first difference nothing is shared, whatever is equal there.
    assert not set(blocks[0][shared:]) & set(blocks[1][shared:])
