from pathlib import Path

import pandas as pd

from experiments.notebook.scenario_run import ScenarioRun
from experiments.run.scenario import Run
from experiments.tables.run_tables import TABLES


def test_tables_of_a_run_are_data_frames(small_run: Run) -> None:
    run = ScenarioRun(small_run)
    for name in ("tokens", "links", "chips", "stages", "timeline"):
        pd.testing.assert_frame_equal(getattr(run, name), TABLES[name](small_run))
    assert run.tokens is run.tokens
    assert len(repr(run)) < 2000


def test_a_notebook_shows_its_numbers(small_run: Run) -> None:
    shown = ScenarioRun(small_run)._repr_html_()
    assert str(ScenarioRun(small_run).summary["schedule"]["certificate"]) in shown
    assert "token.tokens_per_s_per_user" in shown


def test_a_report_is_beside_its_files(small_run: Run, tmp_path: Path) -> None:
    run = ScenarioRun(small_run)
    page = run.write_report(tmp_path / "run")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (tmp_path / "run" / "timeline.csv").exists()
    names = {path.name for path in run.write(tmp_path / "other")}
    assert {"summary.json", "tokens.csv"} <= names
