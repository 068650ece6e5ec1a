import gzip
import importlib.util
import json
import os
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments.report.run_files import write_run
from experiments.report.run_summary import summarise
from experiments.run.scenario import Run
from experiments.tables.atomic_write import csv_bytes, write_bytes, zipped
from experiments.tables.columns import COLUMNS, markdown
from experiments.tables.run_tables import TABLES
from experiments.trace.window import Window
from specs.errors import OutputError, SpecError

ROOT = Path(__file__).parents[3]
MEMORY = ["weight_bytes", "kv_bytes", "activation_bytes", "program_bytes", "free_bytes"]


def read(folder: Path, name: str) -> pd.DataFrame:
    if name != "schedule":
        return pd.read_csv(folder / f"{name}.csv")
    path = next(folder.glob("schedule.*"))
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


@pytest.mark.parametrize("name", sorted(COLUMNS))
def test_a_table_has_the_documented_columns_in_their_order(
    small_folder: Path, name: str
) -> None:
    table = read(small_folder, name)
    assert list(table.columns) == list(COLUMNS[name])
    # Nothing fails in this run.
    assert (len(table) == 0) == (name == "failovers")


def test_a_trace_of_chips_that_are_not_there_is_refused(
    small_run: Run, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match=r"--trace-chips 500-600: .* 0 to \d+"):
        write_run(small_run, summarise(small_run), tmp_path, Window(500, 600))
    assert list(tmp_path.iterdir()) == []


def test_every_table_is_documented() -> None:
    assert {*TABLES, "sram"} == COLUMNS.keys()


def test_the_column_dictionary_is_up_to_date() -> None:
    page = ROOT / "docs" / "columns.md"
    assert page.read_text(encoding="utf-8") == markdown()


def test_the_causes_of_a_token_sum_to_its_latency(small_folder: Path) -> None:
    tokens = read(small_folder, "tokens")
    causes = list(COLUMNS["tokens"])[6:-1]
    assert causes[0] == "compute_ps"
    assert causes[-2:] == ["replay_ps", "failover_ps"]
    assert tokens[causes].sum(axis="columns").tolist() == tokens["latency_ps"].tolist()
    assert (tokens["end_ps"] - tokens["start_ps"]).equals(tokens["latency_ps"])
    assert tokens["token"].tolist() == [0, 0, 1, 1, 2, 2]
    assert tokens["sequence"].tolist() == [0, 1, 0, 1, 0, 1]
    assert set(tokens["context_tokens"]) == {256}
    assert set(tokens["attempts"]) == {1}


def test_memory_of_a_chip_sums_to_its_sram(small_folder: Path, small_run: Run) -> None:
    chips = read(small_folder, "chips")
    sram_bytes = small_run.prepared.machine.chip.sram_bytes
    assert set(chips[MEMORY].sum(axis="columns")) == {sram_bytes}
    assert chips["chip"].tolist() == list(range(72))
    assert chips["stage"].tolist()[:20] == [
        stage for stage in range(4) for _ in "12345"
    ]
    assert set(chips["stage"][20:]) == {-1}
    assert chips["weight_bytes"].sum() == small_run.prepared.plan.weight_bytes
    assert (chips["ppm"].abs() <= 50).all()
    assert (chips.loc[chips["stage"] >= 0, "busy_cycles"] > 0).all()


def test_slices_of_the_plan_sum_to_the_weights(
    small_folder: Path, small_run: Run
) -> None:
    plan, chips = read(small_folder, "plan"), read(small_folder, "chips")
    assert plan["bytes"].sum() == small_run.prepared.plan.weight_bytes
    on_chip = plan.groupby("chip")["bytes"].sum()
    weights = chips.set_index("chip")["weight_bytes"]
    assert on_chip.to_dict() == weights[weights > 0].to_dict()


def test_links_carry_what_the_schedule_sends(
    small_folder: Path, small_run: Run
) -> None:
    links, schedule = read(small_folder, "links"), read(small_folder, "schedule")
    sent = schedule[schedule["opcode"].isin(["SEND", "FORWARD"])]
    per_token = sent.groupby("link")["vectors"].sum()
    used = links[links["vectors"] > 0].set_index("link")
    assert (per_token * 6).to_dict() == used["vectors"].to_dict()
    assert len(links) == 2 * small_run.prepared.topology.links
    assert (links["bytes"] == links["vectors"] * 320).all()
    assert links["utilisation"].between(0, 1).all()
    assert links["min_slack_cycles"].notna().equals(links["vectors"] > 0)
    assert (used["min_slack_cycles"] >= 0).all()


def test_every_train_is_sent_once_and_received_once(small_folder: Path) -> None:
    schedule = read(small_folder, "schedule")
    on_link = schedule[schedule["train"] >= 0]
    received = on_link["opcode"] == "RECEIVE"
    trains = list(range(on_link["train"].max() + 1))
    assert sorted(on_link.loc[received, "train"]) == trains
    assert sorted(on_link.loc[~received, "train"]) == trains


def test_stages_hold_all_layers(small_folder: Path) -> None:
    stages = read(small_folder, "stages")
    assert stages["chips"].tolist() == [5, 5, 5, 5]
    assert stages["first_chip"].tolist() == [0, 5, 10, 15]
    assert stages["feed_forward_share"].sum() == pytest.approx(4)


def test_the_pictures_open(small_folder: Path) -> None:
    assert imread(small_folder / "token.png").shape == (960, 1650, 4)
    assert imread(small_folder / "slack.png").shape == (483, 1650, 4)


def test_a_run_leaves_whole_files_and_nothing_else(small_folder: Path) -> None:
    assert not [path.name for path in small_folder.iterdir() if path.name[0] == "."]
    assert json.loads((small_folder / "summary.json").read_text())["schema"]
    assert gzip.decompress((small_folder / "trace.pftrace.gz").read_bytes())


def test_without_the_extra_the_trace_is_json(
    small_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "perfetto" else installed(name),
    )
    write_run(small_run, summarise(small_run), tmp_path, Window())
    document = gzip.decompress((tmp_path / "trace.json.gz").read_bytes())
    assert json.loads(document)["traceEvents"]
    assert not list(tmp_path.glob("*.pftrace*"))


def test_a_file_is_for_everyone_that_the_umask_lets_in(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_bytes(tmp_path / "a.csv", b"a\n")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_write_that_is_cut_short_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bytes(tmp_path / "a.csv", b"old\n")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new\n")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("a.csv", "old\n")
    ]


def test_a_folder_in_the_way_of_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(OutputError, match=r"cannot write to .*a\.csv: Is a directory"):
        write_bytes(tmp_path / "a.csv", b"a\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_the_same_content_gives_the_same_bytes() -> None:
    table = pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")]})
    assert csv_bytes(table) == b"a,b\n1,0.5\n2,\n"
    assert zipped(b"a" * 100) == zipped(b"a" * 100)
    assert gzip.decompress(zipped(b"abc")) == b"abc"
