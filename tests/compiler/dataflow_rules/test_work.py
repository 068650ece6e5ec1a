"""What `check_work` refuses."""

from collections.abc import Callable

import pytest

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("a product halved", "multiplies more or less"),
        ("a vector operator halved", "fewer elements than"),
        ("a multiplication halved, not its reads", "other work than it multiplies"),
        ("fewer bytes of weights read", "fewer bytes than its matrix"),
        ("fewer bytes of vectors multiplied", "fewer bytes than its vectors"),
        ("a narrower mode of a product", "multiplies in another mode"),
        ("fewer reductions of a vector operator", "fewer vectors over the lanes"),
        ("fewer bytes of products written", "fewer bytes than its vectors"),
        ("keys loaded before they are made", "what is not known yet"),
        ("fewer operands of a vector operator", "fewer vectors at once than"),
        ("a partial sum left out", "fewer vectors at once than"),
        ("fewer passes of a vector operator", "fewer passes over"),
        ("fewer bits of a vector operator", "elements of fewer bits"),
    ],
)
def test_less_work_than_the_regions_take_is_refused(
    refused: Refused, kind: str, why: str
) -> None:
    assert why in refused(kind, "instructions")


def test_fewer_rows_than_a_chunk_has_are_refused(refused: Refused) -> None:
    kind = "fewer rows of a product"
    assert "multiplies more or less" in refused(kind, "instructions", "prompt")


@pytest.mark.parametrize("variant", ["instructions", "both"])
def test_an_expert_that_is_left_out_is_refused(refused: Refused, variant: str) -> None:
    assert "multipl" in refused("an expert left out", variant, "experts")
