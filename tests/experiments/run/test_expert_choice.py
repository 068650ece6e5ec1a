import math
from pathlib import Path

import numpy as np
import pytest

from experiments.run.expert_choice import choice_weights, dropped_fraction
from specs.errors import RackError


def hypergeometric_drops(experts: int, groups: int, chosen: int, room: int) -> float:
    """Return the fraction of one token's pairs that are dropped, in closed form."""
    held = experts // groups
    beyond = sum(
        (pairs - room) * math.comb(held, pairs) * math.comb(experts - held, left)
        for pairs in range(room + 1, chosen + 1)
        if (left := chosen - pairs) >= 0
    )
    return groups * beyond / math.comb(experts, chosen) / chosen


@pytest.mark.parametrize("room", [1, 2])
def test_drops_of_uniform_choices_are_those_of_the_closed_form(room: int) -> None:
    drops = dropped_fraction(
        *(np.ones(16),), chosen=4, tokens=1, groups=4, room=room, seed=1, draws=20_000
    )
    exact = hypergeometric_drops(16, 4, 4, room)
    # Four standard deviations at most.
    assert drops == pytest.approx(exact, abs=4 * 0.5 / math.sqrt(20_000))
    assert exact > 0.01


def test_a_token_chooses_its_second_expert_from_those_that_are_left() -> None:
    # Of weights 3, 1 the first group is chosen first with 3/4; then the other follows.
    drops = dropped_fraction(
        *(np.array([3.0, 1.0]),), chosen=2, tokens=1, groups=2, room=1, seed=1
    )
    assert drops == 0
    # Two tokens with one choice each meet in a group with 9/16 + 1/16, and drop one.
    drops = dropped_fraction(
        *(np.array([3.0, 1.0]),), chosen=1, tokens=2, groups=2, room=1, seed=1
    )
    assert drops == pytest.approx(10 / 16 / 2, abs=4 * 0.5 / math.sqrt(1000))


def test_room_for_every_choice_drops_nothing_and_no_room_everything() -> None:
    zipf = choice_weights("zipf:1.5", 8)
    drops = [
        dropped_fraction(zipf, chosen=2, tokens=4, groups=4, room=room, seed=1)
        for room in (0, 1, 2, 4, 8)
    ]
    assert drops[0] == 1
    assert drops[-1] == 0
    assert drops == sorted(drops, reverse=True)


def test_the_same_seed_draws_the_same_choices() -> None:
    weights = choice_weights("zipf:1", 8)

    def drops(seed: int) -> float:
        return dropped_fraction(
            weights, chosen=2, tokens=4, groups=4, room=2, seed=seed, draws=50
        )

    assert drops(1) == drops(1) != drops(2)


def test_a_file_says_how_often_each_expert_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "choice.csv"
    path.write_text("expert,chosen\n1,2.5\n0,7\n", encoding="utf-8")
    assert choice_weights(str(path), 2).tolist() == [7, 2.5]
    assert choice_weights("uniform", 2).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("expert,share\n0,1\n1,1\n", "first line must be expert,chosen"),
        ("expert,chosen\n0,1\n", "expert 1 is missing; give each of 2"),
        ("expert,chosen\n0,1\n0,1\n", "line 3: expert 0 is given twice"),
        ("expert,chosen\n0,1\n2,1\n", "line 3: expert 2 of 2"),
        ("expert,chosen\n0,-1\n", "line 2: chosen must be a number from 0 on"),
        ("expert,chosen\n0,nan\n", "line 2: chosen must be a number from 0 on"),
        ("expert,chosen\nx,1\n", "line 2: expected an expert and a number"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_by_its_line(
    content: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "choice.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RackError, match=message):
        choice_weights(str(path), 2)


def test_a_choice_that_cannot_be_is_refused() -> None:
    with pytest.raises(RackError, match=r"number from 0 to 10; write zipf:1\.0"):
        choice_weights("zipf:steep", 8)
    with pytest.raises(RackError, match="chooses 2 experts, and only 1 are ever"):
        dropped_fraction(
            *(np.array([1.0, 0.0]),), chosen=2, tokens=1, groups=1, room=1, seed=1
        )
