"""The table of benchmarks: its figures, its fits, and its comparison with another."""

import json
from pathlib import Path

import pytest

from benchmarks.compare import main as compare
from benchmarks.compare import ratios
from benchmarks.figures import Figure, measured
from benchmarks.references import (
    REFERENCES,
    bytes_per_s,
    cpu_s,
    reference_per_s,
    timeouts_per_s,
)
from benchmarks.table import document, exponents, line
from benchmarks.table import main as table


@pytest.fixture(autouse=True)
def quick_references(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure references by less work than a table needs."""
    quick = {
        "simpy": lambda: timeouts_per_s(5760),
        "numpy": lambda: bytes_per_s(80_000),
    }
    monkeypatch.setattr(
        "benchmarks.figures.reference_per_s", lambda name: quick[name]()
    )


def rows(slower: float = 1.0, rate: float = 1e6) -> list[Figure]:
    """Return figures that grow as the square of the chips, on a machine of a rate."""
    return [
        Figure("verify", chips, slower * chips**2 / rate, "simpy", rate)
        for chips in (8, 72, 576)
    ]


def test_a_power_law_is_fitted_exactly_and_two_points_are_not() -> None:
    assert exponents(rows()) == {"verify": 2.0}
    assert exponents(rows()[:2]) == {}


def test_another_machine_is_no_difference_and_more_work_is() -> None:
    before = document(rows())
    assert set(ratios(before, document(rows(rate=3e6))).values()) == {1.0}
    slower = ratios(before, document(rows(slower=1.5)))
    assert slower == pytest.approx({("verify", chips): 1.5 for chips in (8, 72, 576)})


def test_a_slower_table_ends_with_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, slower in (("a", 1.0), ("b", 1.5)):
        made = document(rows(slower))
        (tmp_path / f"{name}.json").write_text(json.dumps(made))
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    assert compare([a, b]) == 1
    assert "verify                     576    1.50  SLOWER" in capsys.readouterr().out
    assert compare([a, b, "--limit", "2"]) == 0
    assert compare([b, a]) == 0
    assert "faster" in capsys.readouterr().out
    (tmp_path / "c.json").write_text("{}")
    assert compare([a, str(tmp_path / "c.json")]) == 2


def test_a_figure_is_measured_beside_its_reference() -> None:
    figure = measured("sum", 8, "simpy", lambda: sum(range(1000)), 10)
    assert 0 < figure.cpu_s < 0.01
    assert figure.equivalent == figure.cpu_s * figure.reference_per_s
    assert line(figure).startswith("sum  ")
    assert cpu_s(lambda: sum(range(100_000))) > 0
    assert timeouts_per_s(5760) > 1000
    assert bytes_per_s(80_000) > 1e6
    assert reference_per_s("simpy") > 1000


def test_the_table_of_a_node_is_kept_as_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    table(["--most-chips", "8", "--out", str(out)])
    kept = json.loads(out.read_text())
    names = [row["name"] for row in kept["figures"]]
    assert names[:2] == ["plan", "compile"]
    assert names[-1] == "start of the command"
    assert all(row["cpu_s"] > 0 for row in kept["figures"])
    assert kept["references"] == REFERENCES
    assert f"wrote {out}" in capsys.readouterr().out
