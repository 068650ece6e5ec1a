import pytest

from workloads.attributes import AttentionAttributes
from workloads.operators import TokenRows
from workloads.reference.positions import alibi_slopes, attended, fallen_scores


def rows(context: int, query_tokens: int = 1) -> TokenRows:
    return TokenRows(
        batch=1, context=context, query_tokens=query_tokens, answer_tokens=1
    )


@pytest.mark.parametrize(
    ("causal", "window", "expected"),
    [
        (False, None, ["1111", "1111"]),
        (True, None, ["1110", "1111"]),
        (True, 2, ["0110", "0011"]),
    ],
)
def test_a_token_attends_to_itself_and_what_is_before_within_the_window(
    causal: bool, window: int | None, expected: list[str]
) -> None:
    attributes = AttentionAttributes(
        heads=1, kv_heads=1, head_dim=1, scale=1.0, causal=causal, window=window
    )
    mask = attended(attributes, 4, rows(9, query_tokens=2))
    assert ["".join(map(str, row)) for row in mask.astype(int).tolist()] == expected


def test_positions_attend_within_their_own_chunk() -> None:
    attributes = AttentionAttributes(
        heads=1, kv_heads=1, head_dim=2, scale=1.0, window=3, chunked=True
    )
    # Positions 2 to 4: the last of one chunk, and the first two of the next.
    mask = attended(attributes, 5, rows(5, query_tokens=3))
    assert mask.astype(int).tolist() == [
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]


def test_slopes_of_a_power_of_two_heads_are_a_series_down_to_1_over_256() -> None:
    assert alibi_slopes(8).tolist() == [2.0**-n for n in range(1, 9)]
    assert alibi_slopes(4).tolist() == [2.0**-n for n in (2, 4, 6, 8)]


def test_further_heads_have_slopes_that_lie_between_those() -> None:
    assert alibi_slopes(3).tolist() == [2.0**-4, 2.0**-8, 2.0**-2]
    assert alibi_slopes(6).tolist() == [2.0**-n for n in (2, 4, 6, 8, 1, 3)]


def test_scores_fall_with_the_distance_by_the_slope_of_their_head() -> None:
    attributes = AttentionAttributes(
        heads=2, kv_heads=1, head_dim=1, scale=1.0, alibi=16.0
    )
    falls = fallen_scores(attributes, 3, rows(5, query_tokens=2))
    # Positions 3 and 4 against keys 2 to 4; slopes of 1/16 and 1/256.
    assert falls.shape == (1, 2, 1, 2, 3)
    assert falls[0, 0, 0].tolist() == [[1, 0, -1], [2, 1, 0]]
    assert (falls[0, 1] * 16).tolist() == falls[0, 0].tolist()
