"""Small programs, sabotaged, to see which rule refuses what."""

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from experiments.sabotage.case import SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS
from experiments.sabotage.schedules import quick_schedules

Refused = Callable[..., str]
_DRAWS = 2


@cache
def _cases() -> dict[str, SabotageCase]:
    return {case.name: case._replace(results=None) for case in quick_schedules()}


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], SabotageCase]:
    """Return a valid program: of a ``decoder``, of ``experts``, of a ``prompt``."""
    return lambda name: _cases()[f"small {name}"]


@pytest.fixture(scope="session")
def refused(case_of: Callable[[str], SabotageCase]) -> Refused:
    """Sabotage a small program; return why it is refused, of all draws alike."""

    def refuse(kind: str, variant: str, case: str = "decoder") -> str:
        (sabotage,) = [
            each for each in KINDS if (each.kind, each.variant) == (kind, variant)
        ]
        random = np.random.default_rng(1)
        made = [judged(case_of(case), sabotage, random) for _ in range(_DRAWS)]
        assert [one.verdict for one in made] == ["caught"] * _DRAWS
        messages = [one.message for one in made]
        # Where: an operator, a chip with a cycle, or the columns of a value.
        for message in messages:
            assert re.search(
                r"layers\.|head\.|embedding\.|chip \d|passes|cycle", message
            )
        return "\n".join(messages)

    return refuse
