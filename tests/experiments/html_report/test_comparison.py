import pandas as pd

from experiments.html_report.comparison import (
    differences,
    differing_inputs,
    flat,
    largest_movers,
    operator_changes,
)

FIRST = {"inputs": {"chips": 8, "seed": 1}, "a": 10, "b": {"c": 4, "d": "x"}, "e": 1}
SECOND = {"inputs": {"chips": 16, "x": [2]}, "a": 11, "b": {"c": 1, "d": "y"}, "e": 1}


def test_values_are_named_by_the_way_to_them() -> None:
    assert flat(FIRST)["b.c"] == 4
    assert flat({"list": [{"a": 1}]}) == {"list.0.a": 1}


def test_inputs_that_differ_are_listed_with_what_one_lacks() -> None:
    assert differing_inputs(FIRST, SECOND) == [
        ("chips", 8, 16),
        ("seed", 1, None),
        ("x.0", None, 2),
    ]


def test_differences_are_signed_and_leave_out_the_computer() -> None:
    first = {**FIRST, "run": {"wall_s": 1.0}, "flag": True}
    second = {**SECOND, "run": {"wall_s": 2.0}, "flag": False}
    rows = differences(first, second)
    assert [(row.key, row.change) for row in rows] == [("a", 1), ("b.c", -3)]
    assert rows[1].share == -0.75


def test_the_largest_movers_come_first() -> None:
    rows = differences(FIRST, SECOND)
    assert [row.key for row in largest_movers(rows)] == ["b.c", "a"]
    assert len(largest_movers(rows * 20)) == 10


def test_operators_that_changed_most_come_first_with_those_that_one_run_lacks() -> None:
    def timeline(**cycles: int) -> pd.DataFrame:
        rows = [
            {"replica": 0, "kind": "matmul", "name": name, "path_cycles": each}
            for name, each in cycles.items()
        ]
        zeros = {"start_cycle": 0, "duration_cycles": 0, "hidden_cycles": 0}
        return pd.DataFrame(rows).assign(**zeros)

    rows = operator_changes(timeline(a=10, b=5, c=7), timeline(a=12, c=7, d=1))
    assert [(row.key, row.change) for row in rows] == [
        ("b (matmul)", -5),
        ("a (matmul)", 2),
        ("d (matmul)", 1),
    ]
