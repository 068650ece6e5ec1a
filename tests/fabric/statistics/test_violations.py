import numpy as np

from fabric.results.violation import Violation
from fabric.runtime.segment import Segment
from fabric.statistics.violations import Violations

NO_OVERFLOWS: dict[int, int] = {}


def test_a_violation_names_the_link_and_the_cycle_of_its_train(steady: Segment) -> None:
    violations, trains = Violations(), steady.program.trains
    slack_ps = np.arange(len(trains)) - 5
    violations.add(
        steady, 1, 7, slack_ps=slack_ps, late=np.array([2]), overflows={4: 20}
    )

    def violation(kind: str, train: int, vectors: int) -> Violation:
        link = int(trains.link[train])
        return Violation(
            kind=kind,
            sequence=1,
            iteration=7,
            link=link,
            source=int(steady.topology.source[link]),
            target=int(steady.topology.target[link]),
            cycle=int(trains.receive_cycle[train]),
            margin_ps=train - 5,
            vectors=vectors,
        )

    assert (violations.underflows, violations.overflows) == (1, 1)
    assert violations.first() == [
        violation("overflow", 4, 20),
        violation("underflow", 2, 0),
    ]


def test_all_are_counted_and_a_hundred_of_each_kind_kept(steady: Segment) -> None:
    violations = Violations()
    slack_ps = np.full(len(steady.program.trains), -1)
    late = np.array([0, 1])
    for iteration in range(99, -1, -1):
        violations.add(
            steady, 0, iteration, slack_ps=slack_ps, late=late, overflows=NO_OVERFLOWS
        )
    kept = violations.first()
    assert (violations.underflows, len(kept)) == (200, 100)
    # The first iterations are kept, although they were added last.
    assert {each.iteration for each in kept} == set(range(50))
