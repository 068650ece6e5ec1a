"""One fault at a cable or a chip: nothing is lost, repeated or made of bad data."""

from dataclasses import replace

import pytest

from specs.faults import LinkDies
from tests.engines.single_faults import (
    TOKENS,
    Machine,
    broken_laws,
    machine_of,
    main,
    single_faults,
)


@pytest.fixture(scope="module")
def node() -> Machine:
    return machine_of(8)


def test_a_fault_at_every_cable_and_chip_of_a_node_breaks_no_law(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--chips", "8"]) == 0
    assert capsys.readouterr().out.startswith("8 chips: runs 36, ")


def test_every_cable_and_every_chip_has_its_fault(node: Machine) -> None:
    faults = list(single_faults(node, seed=1))
    cables = [fault.link // 2 for fault in faults if isinstance(fault, LinkDies)]
    assert (cables, len(faults)) == (list(range(28)), 36)
    assert all(fault.at_us <= node.length_us for fault in faults)


def test_a_result_that_breaks_a_law_is_told(node: Machine) -> None:
    used = int(node.programs.buckets[0].schedule.program.trains.link[0])
    result = node.run([LinkDies(at_us=0, link=used)])
    assert broken_laws(result, 2) == []
    assert len(result.missing) == 2
    rows = result.iterations
    bad = replace(result, iterations=tuple(r._replace(delivered=True) for r in rows))
    assert broken_laws(bad, 2) == [
        "delivered and missing tokens are those asked for",
        "nothing from bad data",
    ]
    told = tuple(each._replace(reason="") for each in result.missing)
    assert broken_laws(replace(result, missing=told), 2) == [
        "what is missing has a reason"
    ]
    sound = node.run([])
    late = tuple(r._replace(start_ps=0, end_ps=0) for r in sound.iterations)
    assert "an iteration takes time" in broken_laws(replace(sound, iterations=late), 2)
    assert len(sound.iterations) == 2 * TOKENS
    backwards = replace(sound, iterations=sound.iterations[::-1])
    assert "iterations follow each other" in broken_laws(backwards, 2)
