"""Both engines give the same numbers and files in settings drawn from all there is."""

import random
from collections import Counter
from copy import copy
from pathlib import Path

import pytest

from fabric.replay_engine.fifo_occupancy import Occupancy
from tests.engines.campaign import compare, main, setting, smallest
from tests.engines.settings import Tree, drawn_setting, flood

# The campaign has a thousand; laws of the engines are also in tests/fabric.
SETTINGS = 10
FLOODS = 24


def floods() -> list[Tree]:
    return [flood(random.Random(number)) for number in range(FLOODS)]


def test_drawn_settings_give_the_same_in_both_engines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--settings", str(SETTINGS)]) == 0
    assert f"{SETTINGS} settings compared" in capsys.readouterr().out


def test_full_fifos_are_counted_the_same_in_both_engines(tmp_path: Path) -> None:
    made = [compare(tree, tmp_path) for tree in floods()]
    assert [each.differs for each in made if each.differs] == []
    reached = Counter(name for each in made for name in each.reached)
    assert reached["overflow in a collective"] >= 8


@pytest.mark.parametrize("wrong", [-1, 1])
def test_a_fifo_of_another_depth_is_a_difference(
    wrong: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Occupancy._count_link

    def off_by_one(self: Occupancy, *arguments: object) -> None:
        segment = self._segment
        depth = segment.machine.link.fifo_vectors + wrong
        machine = segment.machine.with_settings({"link.fifo_vectors": depth})
        self._segment = copy(segment)
        # Nothing else of the segment follows from the depth.
        object.__setattr__(self._segment, "machine", machine)
        made(self, *arguments)  # type: ignore[arg-type]
        self._segment = segment

    monkeypatch.setattr(Occupancy, "_count_link", off_by_one)
    assert any(compare(tree, tmp_path).differs for tree in floods())


def test_the_smallest_setting_of_a_difference_has_nothing_to_spare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Occupancy, "_count_link", lambda *_: None)
    tree = next(tree for tree in floods() if compare(tree, tmp_path).differs)
    small = smallest(tree, tmp_path)
    assert compare(small, tmp_path).differs
    assert small["settings"].keys() < tree["settings"].keys()


def test_a_setting_follows_from_its_number() -> None:
    assert setting(1, 5) == setting(1, 5) == drawn_setting(random.Random("1 5"))
    assert setting(1, 5) != setting(1, 6)
