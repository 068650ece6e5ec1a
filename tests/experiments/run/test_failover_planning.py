from collections.abc import Callable

import pytest

from compiler.ir.schedule import Schedule
from experiments.run import failover_planning
from experiments.run.failover_planning import SpareNodes
from specs.errors import PlanError
from topologies.outage import Outage

Spared = Callable[..., tuple[Schedule, SpareNodes]]
NODE = frozenset({0, 1})


def test_a_program_that_was_moved_to_is_not_compiled_again(
    spared: Spared, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, spares = spared()
    first = spares.moved((0,), Outage(chips=NODE), None)
    monkeypatch.delattr(failover_planning, "compile_token")
    again = spares.moved((0,), Outage(chips=NODE), first)
    assert again.program is first.program
    # Chips that hold their slices already load the program alone.
    assert again.loaded_bytes < first.loaded_bytes
    with pytest.raises(NameError, match="compile_token"):
        spares.moved((0,), Outage(chips=NODE, links=frozenset({0})), None)


def test_a_rack_without_another_spare_node_says_so(spared: Spared) -> None:
    _, spares = spared()
    with pytest.raises(PlanError, match=r"rack 0 has no spare node left for node 1"):
        spares.moved((0, 1), Outage(chips=NODE | {2, 3}), None)
