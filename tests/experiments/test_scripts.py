import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

from experiments import lpu_or_gpu, request_router
from experiments.__main__ import main
from experiments.batch_size import ridge_batch
from experiments.paired.overlapped import break_even_latency_us
from experiments.sabotage.kinds import KINDS
from experiments.script.listing import experiment_names
from experiments.service.traffic_cases import SMALL
from experiments.tables.scenario_rows import scenario_row
from specs.decode_work import decode_work
from specs.devices import devices
from specs.model import load_model
from specs.scenario import Scenario

# Those that run a model at a point after the other.
POINTS = ["latency_vs_chips", "sharding_sweep", "topology_comparison"]
NETWORK = ["allreduce", "bandwidth_per_chip", "nonminimal_routing"]
TIMING = ["clock_drift", "determinism_tax", "failover", "fec_errors", "slack_map"]
WORKLOADS = ["gemm_utilisation"]
MODELS = ["energy_per_token", "expert_routing", "model_zoo", "roofline"]
MACHINES = ["batch_size", "generations"]
PHASES = ["context_length", "speculative_decoding"]
OTHERS = ["hop_counts", "link_characterisation", "scheduled_vs_reactive"]
VALIDATION = ["validation_figure"]
SERVING = ["burstiness", "context_tax", "failover_under_load", "frame_search"]
SERVED = ["lpu_or_gpu", "prompt_tax", "request_router"]
PAIRED = ["pairing"]
SCALING = ["scaling_law"]
PLANS = ["encoder_cuts", "placement_gain"]
PROOF = ["certificate_strength"]
AUDIT = ["claims"]
NAMES = sorted(
    [
        *(*POINTS, *NETWORK, *TIMING, *MODELS, *WORKLOADS),
        *(*MACHINES, *PHASES, *OTHERS, *SCALING, *PLANS, *PROOF, *VALIDATION),
        *SERVING,
        *SERVED,
        *PAIRED,
        *AUDIT,
    ]
)
CAUSES = ["compute", "link", "guard", "alignment", "deskew", "fec", "wait"]


# Returns the folder that a script left, and what it printed.
Ran = Callable[[str], tuple[Path, str]]


def run(name: str, *options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(f"experiments.{name}")
    monkeypatch.setattr(sys, "argv", [name, *options])
    shown = [module.COLUMNS] if hasattr(module, "COLUMNS") else []
    module.run_script(name, module.__doc__, module.experiment, *shown)


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run a script in its quick form, once for all tests of it."""

    @cache
    def make(name: str) -> tuple[Path, str]:
        folder, printed = tmp_path_factory.mktemp(name), io.StringIO()
        options = ("--quick", "--out", str(folder), "--seed", "1")
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
            run(name, *options, monkeypatch=patch)
        return folder, printed.getvalue()

    return make


def test_every_experiment_is_listed_with_its_question(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = experiment_names()
    assert names == NAMES
    main()
    *lines, costs_are = capsys.readouterr().out.splitlines()
    assert lines[::3] == [f"python -m experiments.{name}" for name in names]
    assert all("?" in line for line in lines[1::3])
    assert all("--quick" in line for line in lines[2::3])
    assert costs_are == "Costs are seconds of processor time."


def test_the_page_of_experiments_asks_what_the_scripts_ask() -> None:
    page = (Path(__file__).parents[2] / "docs" / "experiments.md").read_text("utf-8")
    for name in NAMES:
        question = str(import_module(f"experiments.{name}").__doc__).splitlines()[0]
        assert f"| `{name}` | {question} |" in page


@pytest.mark.parametrize("name", NETWORK)
def test_a_network_experiment_leaves_a_table_and_a_picture(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(name, *("--quick", "--out", str(tmp_path)), monkeypatch=monkeypatch)
    table = pd.read_csv(tmp_path / f"{name}.csv")
    assert len(table) >= 4
    assert (table["violations"] == 0).all()
    assert imread(tmp_path / f"{name}.png").ndim == 3
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


@pytest.mark.parametrize("name", POINTS)
def test_an_experiment_leaves_a_table_and_a_picture(quick_run: Ran, name: str) -> None:
    folder, printed = quick_run(name)
    names = sorted(path.name for path in folder.iterdir())
    assert {f"{name}.csv", f"{name}.png"} <= set(names)
    table = pd.read_csv(folder / f"{name}.csv")
    ran = table[table["feasible"]]
    assert len(ran) >= 2
    assert (ran["violations"] == 0).all()
    spent_us = ran[[f"{cause}_us" for cause in CAUSES]].sum(axis="columns")
    # The schedule counts nominal cycles; a crystal is up to 50 ppm off.
    assert spent_us.to_numpy() == pytest.approx(ran["latency_us"].to_numpy(), rel=5e-5)
    assert imread(folder / f"{name}.png").ndim == 3
    report = printed.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def quick_table(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> pd.DataFrame:
    run(name, *("--quick", "--out", str(folder)), monkeypatch=monkeypatch)
    assert imread(folder / f"{name}.png").ndim == 3
    return pd.read_csv(folder / f"{name}.csv")


def test_sequences_in_flight_share_the_energy_of_the_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("energy_per_token", tmp_path, monkeypatch)
    assert (table["violations"] == 0).all()
    # Idle power is shared; a token's operations are its own.
    for _, part in table.groupby("context_tokens"):
        shown = part.set_index("sequences")
        idle, dynamic = (
            shown[f"{name}_energy_per_token_j"] for name in ("idle", "dynamic")
        )
        assert idle[1] == pytest.approx(4 * idle[4], rel=1e-3)
        assert dynamic[1] == pytest.approx(dynamic[4])
    # All chips at the power of an idle one for the time of a token.
    one = table[table["sequences"] == 1]
    taken_j = 576 * one["idle_chip_w"] / one["tokens_per_s_per_user"]
    idle_j = one["idle_energy_per_token_j"]
    assert idle_j.to_numpy() == pytest.approx(taken_j.to_numpy())
    # Eight racks of 144 ports outward; 3.5 W at each end of a cable.
    optics = one["optical_energy_per_token_j"] * one["tokens_per_s_per_user"]
    assert optics.to_numpy() == pytest.approx(8 * 144 * 3.5)
    assert set(table["tdp_power_w"]) == {576 * 215 + 8 * 144 * 3.5}
    # Dearer operations leave less for idle chips, which take nearly all.
    assumed = pd.read_csv(tmp_path / "energy_per_token_assumed.csv")
    scale = assumed[assumed["setting"] == "power.operation_scale"]
    for _, part in scale.groupby("sequences"):
        assert part["dynamic_energy_per_token_j"].is_monotonic_increasing
        assert part["energy_per_token_j"].is_monotonic_decreasing
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_bounds_of_other_devices_are_labelled_as_such(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("roofline", tmp_path, monkeypatch)
    simulated = table[table["kind"] == "simulated"]
    assert simulated["device"].tolist() == ["GroqChip1", "LP30"]
    assert simulated["devices"].tolist() == [576, 256]
    bounds = table[table["kind"] == "bound"]
    assert set(bounds["device"]) == {
        *("A100", "H100 SXM", "H200", "B200", "Rubin"),
        *("MI300X", "TPU v5p", "SN40L", "WSE-3"),
    }
    first = bounds[bounds["batch"] == 1].set_index("device")
    # 2 H100s read 138.7 GB at 2 x 3.35 TB/s.
    assert first.loc["H100 SXM", "devices"] == 2
    rate = first.loc["H100 SXM", "tokens_per_s_per_user"]
    assert rate == pytest.approx(6.7e12 / 138.7e9, rel=1e-2)
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_users_are_served_together_or_in_flight_as_far_as_sram_goes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("batch_size", tmp_path, monkeypatch)
    ran = table[table["feasible"]]
    assert (ran["violations"] == 0).all()
    bounds = ran[ran["kind"] == "bound"]
    assert set(bounds["device"]) == {"A100", "H100 SXM", "H200", "SN40L", "WSE-3"}
    ours = table[table["kind"] == "simulated"]
    # 64 users at 4,096 positions take more than 256 LP30 have beside the weights.
    refused = ours[~ours["feasible"]]
    assert refused["users"].tolist() == [64, 64]
    assert refused["reason"].str.contains("lacks").all()
    batch, flying = (
        ours[ours["way"] == way].set_index("users")["tokens_per_s"]
        for way in ("a batch", "in flight")
    )
    assert batch[1] == flying[1] < batch[8] < flying[8]
    # Sixteen stages have room for eight sequences.
    assert flying[8] == pytest.approx(8 * flying[1], rel=1e-3)
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_compute_becomes_the_bound_at_the_ridge_batch() -> None:
    model, device = load_model("llama-2-70b"), devices()["wse3"]
    ridge = ridge_batch(device, model, 1024)
    assert ridge is not None
    for batch, bound in ((int(ridge), "memory"), (int(ridge) + 1, "compute")):
        work = decode_work(model, context=1024, batch=batch)
        intensity = work.flop / work.read_bytes
        assert (intensity < device.ridge_flop_per_byte) == (bound == "memory")
    # An H100 reads 4,096 positions of a user for less work than its ridge asks for.
    assert ridge_batch(devices()["h100"], model, 4096) is None


def test_generations_are_compared_on_the_whole_of_each_machine(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("generations", tmp_path, monkeypatch)
    ran = table[table["feasible"]]
    assert (ran["violations"] == 0).all()
    first, second = (ran[ran["device"] == name] for name in ("GroqChip1", "LP30"))
    assert set(first["chips"]) | set(first["racks"]) == {576, 8}
    assert set(second["chips"]) | set(second["racks"]) == {256, 1}
    spent_us = ran[[f"{cause}_us" for cause in CAUSES]].sum(axis="columns")
    assert spent_us.to_numpy() == pytest.approx(ran["latency_us"].to_numpy(), rel=5e-5)
    # What LP30 draws is not known; at this power it takes what GroqChip1 takes.
    assert second["energy_per_token_j"].isna().all()
    even = second["break_even_chip_w"] * 256 / second["tokens_per_s_per_user"]
    assert even.to_numpy() == pytest.approx(first["energy_per_token_j"].min())
    refused = table[~table["feasible"]]
    assert set(refused["model"]) == {"llama-3.1-405b"}
    reach = pd.read_csv(tmp_path / "generations_reach.csv").set_index(
        ["device", "racks"]
    )
    # 256 x 500 MB, and 72 x 230.7 MB.
    assert reach.loc[("LP30", 4), "sram_gb"] == pytest.approx(512)
    assert reach.loc[("GroqChip1", 1), "sram_gb"] == pytest.approx(16.6, abs=0.1)
    assert reach.loc[("LP30", 1), "diameter_hops"] == 2
    assumed = pd.read_csv(tmp_path / "generations_assumed.csv")
    for _, part in assumed.groupby("setting"):
        rates = part["tokens_per_s_per_user"]
        assert part["feasible"].all()
        assert rates.is_monotonic_increasing or rates.is_monotonic_decreasing
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_each_model_runs_on_the_smallest_machine_that_holds_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("model_zoo", tmp_path, monkeypatch)
    assert table["feasible"].all()
    assert (table["violations"] == 0).all()
    smallest = table[table["machine"] == "smallest"].set_index("model")
    assert smallest["chips"].to_dict() == {"bert-base": 8, "gpt2": 8, "llama-2-7b": 40}
    rated = table["tokens_per_s_per_user"].notna()
    assert set(table[~rated]["model"]) == {"bert-base"}
    less = scenario_row(Scenario(model="llama-2-7b", chips=32, strategy="tensor=8"))
    assert "--chips 40" in less["reason"]
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_a_static_schedule_of_experts_is_paid_in_time_or_in_dropped_pairs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("expert_routing", tmp_path, monkeypatch).set_index("form")
    assert table["feasible"].all()
    assert (table["violations"] == 0).all()
    # Four tokens with 8 experts each: all 16 of a group, its worst 32 pairs, or 4.
    assert table["room_pairs"].tolist() == [64, 32, 4, 4]
    dropped, latency = table["dropped_percent"], table["latency_us"]
    assert dropped["all"] == dropped["worst"] == 0
    assert 0 < dropped["balanced"] < dropped["balanced, Zipf"] < 100
    assert latency["balanced"] < 0.7 * latency["worst"] <= latency["all"]
    assert latency["balanced, Zipf"] == latency["balanced"]
    capacity = pd.read_csv(tmp_path / "expert_routing_capacity.csv")
    for _, part in capacity.groupby("zipf_exponent"):
        assert part.sort_values("capacity_percent")[
            "dropped_percent"
        ].is_monotonic_decreasing
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_a_longer_context_costs_time_memory_and_chips(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("context_length", tmp_path, monkeypatch)
    assert table["context_tokens"].is_monotonic_increasing
    assert table["feasible"].all()
    assert table["latency_us"].is_monotonic_increasing
    # 32 layers, 8 heads of 128, keys and values, 2 B; a window of 4,096 keeps no more.
    kept = table["context_tokens"].clip(upper=4096)
    assert (table["kv_gb"] * 1e9).round().tolist() == (kept * 131_072).tolist()
    assert table["smallest_chips"].nunique() <= 2
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_drafting_pays_if_enough_is_accepted_and_says_where_the_time_goes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("speculative_decoding", tmp_path, monkeypatch)
    parts = table[["draft_us", "transfer_us", "verify_us"]].sum(axis="columns")
    assert parts.to_numpy() == pytest.approx(table["step_us"].to_numpy())
    expected, drawn = table["tokens_per_step"], table["drawn_tokens_per_step"]
    assert drawn.to_numpy() == pytest.approx(expected.to_numpy(), rel=0.03)
    for _, part in table.groupby("draft_tokens"):
        assert part.sort_values("acceptance")["gain"].is_monotonic_increasing
    assert (table.groupby("acceptance")["best"].sum() == 1).all()
    assert set(table["kind"]) == {"predicted"}
    # Draft and target share the machine.
    assert set(table["target_strategy"]) == {"tensor=8,pipeline=63"}
    assert set(table["draft_strategy"]) == {"tensor=8,pipeline=9"}
    needed = pd.read_csv(tmp_path / "speculative_decoding_needed.csv")
    assert needed["needed_draft_us_per_token"].is_monotonic_increasing
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_a_placement_is_never_slower_and_says_what_it_gains(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("placement_gain", tmp_path, monkeypatch)
    gain = table["naive_cycles"] - table["placed_cycles"]
    assert gain.tolist() == table["gain_cycles"].tolist()
    assert (gain >= 0).all()
    rack = table[table["topology"] == "rack"].set_index("strategy")
    # Nodes of a rack have a cable to each other: two hops are enough.
    assert rack.loc["tensor=8,pipeline=9", "placed_hand_over_hops"] == 2
    assert rack.loc["tensor=8,pipeline=9", "hand_over_hops"] == 3
    assert (table["random_cycles"] > table["placed_cycles"]).all()
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_no_sabotage_is_missed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("certificate_strength", tmp_path, monkeypatch)
    assert len(table) == len(KINDS)
    assert (table["missed"] == 0).all()
    assert table["caught"].sum() > 0.9 * table["draws"].sum() > 90
    assert (table["differ"] <= table["executed"]).all()
    apart = pd.read_csv(tmp_path / "certificate_strength_schedules.csv")
    refused = apart[apart["caught"] > 0]
    assert refused["message"].str.len().min() > 20
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_counting_communication_never_chooses_a_slower_split_of_an_encoder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("encoder_cuts", tmp_path, monkeypatch)
    cycles = table.set_index(["strategy", "rule"])
    pace = cycles["slowest_stage_cycles"]
    for split in table["strategy"].unique():
        assert pace[split, "all"] <= pace[split, "FLOPs"]
    # A single stage is not cut.
    uncut = table[table["strategy"] == "tensor=4,pipeline=1"]["latency_cycles"]
    assert uncut.min() == uncut.max()
    choice = pd.read_csv(tmp_path / "encoder_cuts_choice.csv")
    assert choice["flops_strategy"].tolist() == ["tensor=4,pipeline=1"]
    assert (choice["gain_percent"] >= 0).all()
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_hops_are_counted_by_both_rules_for_each_arrangement(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("hop_counts", "--quick", "--out", str(tmp_path), monkeypatch=monkeypatch)
    table = pd.read_csv(tmp_path / "hop_counts.csv")
    arrangements = {"costas", "palmtree", "consecutive", "random-1", "annealed"}
    assert set(table["arrangement"]) == arrangements
    assert len(table) == 2 * 2 * len(arrangements)
    shares = table.filter(regex="^pairs_at_").sum(axis="columns")
    assert shares.to_numpy() == pytest.approx(100)
    means = table.pivot_table("mean_hops", ["arrangement", "racks"], "rule")
    assert (means["gateway"] < means["chip"]).all()
    assert imread(tmp_path / "hop_counts.png").ndim == 3
    assert "annealed gateway" in capsys.readouterr().out


def test_wirings_are_compared_at_equal_chips_and_at_equal_cables(
    quick_run: Ran,
) -> None:
    table = pd.read_csv(quick_run("topology_comparison")[0] / "topology_comparison.csv")
    assert set(table["equal"]) == {"equal chips", "equal cables"}
    assert set(table["chips"]) == {64}
    assert (table["ports"] <= 11).all()
    dense = table[table["equal"] == "equal cables"]
    assert dense["cables_per_chip"].between(3, 6).all()
    twice = table.set_index(["equal", "topology"])["uniform_bound_gb_per_s"]
    assert twice["equal cables", "torus:8x8*2"] == pytest.approx(
        2 * twice["equal chips", "torus:8x8"]
    )


def test_an_experiment_of_one_wiring_refuses_several(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--topology", "node", "--topology", "rack")
    with pytest.raises(SystemExit, match="2"):
        run("scaling_law", *words, monkeypatch=monkeypatch)
    assert "--topology is given 2 times" in capsys.readouterr().err


def test_counts_at_which_the_model_does_not_fit_say_why(quick_run: Ran) -> None:
    folder, printed = quick_run("latency_vs_chips")
    table = pd.read_csv(folder / "latency_vs_chips.csv")
    refused = table[~table["feasible"]]
    assert refused["chips"].tolist() == [32, 32]
    assert refused["latency_us"].isna().all()
    assert refused["reason"].str.contains("--chips 40").all()
    best = table[table["feasible"] & (table["split"] == "best")]
    assert (best["gap"] == 0).all()
    fixed = table[table["split"] == "tensor=8"].set_index("chips")["latency_us"]
    assert (best["latency_us"] <= 1.0001 * fixed[best["chips"]].to_numpy()).all()
    assert "refused, 2 of 6 points" in printed
    assert "<NA>" not in printed
    assert "--chips 40" in printed


def test_an_experiment_refuses_a_negative_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("sharding_sweep", "--seed", "-1", monkeypatch=monkeypatch)
    assert "--seed -1: must be 0 or more" in capsys.readouterr().err


def test_an_experiment_refuses_a_folder_that_it_cannot_write(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "taken"
    path.write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        run("sharding_sweep", "--out", str(path), monkeypatch=monkeypatch)
    told = capsys.readouterr().err
    assert f"\nerror: cannot write to {path}: " in told
    assert path.read_text() == "mine"


def test_a_product_of_any_size_runs_near_its_peak(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("gemm_utilisation", tmp_path, monkeypatch)
    assert (table["violations"] == 0).all()
    assert table["least"].between(0.8, 1).all()
    # With exchanged operands N rows pass the 13 x 8 tiles of 4,096 x 2,304 weights, two
    # a round.
    rows = table["first_columns"].to_numpy()
    exchanged = rows * 4096 * 2304 / 102_400 / (230 + 52 * (40 + 12 + 2 * rows))
    assert table["least_exchanged"].to_numpy() == pytest.approx(exchanged, rel=1e-6)
    curve = pd.read_csv(tmp_path / "gemm_utilisation_curve.csv")
    assert len(curve) == table["points"].sum() == 19
    # 184 TFLOPS is the peak of a chip.
    share = curve["tflops"] / (2 * 102_400 * 0.9e9 / 1e12)
    assert share.to_numpy() == pytest.approx(curve["utilisation"].to_numpy())
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_prompts_take_time_from_those_who_decode(quick_run: Ran) -> None:
    folder, printed = quick_run("prompt_tax")
    table = pd.read_csv(folder / "prompt_tax.csv")
    assert (table["output_throughput"] < table["tokens_per_s_without_prompts"]).all()
    assert table["prompt_tax"].between(0, 1).all()
    # More windows make a frame longer, for the same slots.
    for _, rows in table.groupby("chunk_tokens"):
        assert rows.sort_values("windows")["frame_ms"].is_monotonic_increasing
    assert "without" in printed


def test_bursts_wait_longer_at_the_same_load(quick_run: Ran) -> None:
    folder, _ = quick_run("burstiness")
    table = pd.read_csv(folder / "burstiness.csv")
    calm, bursts = (
        table[table["burstiness"] == shape].set_index("rate_per_s")
        for shape in (4.0, 0.25)
    )
    assert (bursts["p99_ttft_ms"] > calm["p99_ttft_ms"]).all()
    assert (bursts["slo_attainment"] <= calm["slo_attainment"]).all()
    # Load never makes a token slower: what differs is the gap after the first one.
    assert table["p99_itl_ms"].max() < 1.01 * table["p99_itl_ms"].min()


def test_a_gpu_server_beside_it_has_slower_tokens_under_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Its law is that of a 70B; a small model here keeps the test short.
    monkeypatch.setattr(lpu_or_gpu, "LARGE", SMALL)
    table, _ = lpu_or_gpu.experiment(1, quick=True)
    assert set(table["device"]) == {"GroqChip1", "H100"}
    one = table[table["equal_in"] == "one"]
    by_rate = one.sort_values("rate_per_s")
    assert by_rate["p50_tpot_ms"].is_monotonic_increasing
    ours = table[table["device"] == "GroqChip1"]
    assert ours["p50_tpot_ms"].max() < 1.01 * ours["p50_tpot_ms"].min()
    # The same requests at twice the rate cost half; a range has a price below.
    dollars = ours.set_index("rate_per_s")["known_usd_per_m_output_tokens_low"]
    assert dollars[11] < dollars[1] < ours["purchase_usd_low"].max()


def test_a_longer_context_leaves_fewer_slots(quick_run: Ran) -> None:
    folder, _ = quick_run("context_tax")
    table = pd.read_csv(folder / "context_tax.csv")
    assert table["context_tokens"].is_monotonic_increasing
    assert table["slots"].is_monotonic_decreasing
    assert (table["tokens_per_s"] < table["tokens_per_s_without_prompts"]).all()
    mixed = pd.read_csv(folder / "context_tax_mixed.csv").set_index("frames")
    # Short requests have frames of their own once they are sorted.
    short = mixed["p50_tpot_short_ms"]
    assert short["sorted"] < min(short["longest"], short["in flight"])
    assert len(set(mixed["completed"])) == 1


def test_a_router_pays_where_urgent_requests_fit_on_one_pipeline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_router, "LARGE", SMALL)
    # Two small pipelines hold these, and no GPU server has a token in 5 ms.
    monkeypatch.setattr(request_router, "QUICK_TPOTS", (5.0,))
    table, _, tables = request_router.experiment(1, quick=True)
    by_system = table.set_index(["urgent_share", "system"])
    few, many = (by_system.loc[share] for share in request_router.QUICK_SHARES)
    assert few["request_goodput"]["gpus"] > many["request_goodput"]["gpus"]
    assert few["best"]["router"]
    thresholds = tables["thresholds"]
    assert (thresholds["gpus_rate_per_s"] == 0).all()
    assert (thresholds["lpus_rate_per_s"] > 0).all()


def test_a_search_names_what_limits_each_frame(quick_run: Ran) -> None:
    folder, printed = quick_run("frame_search")
    table = pd.read_csv(folder / "frame_search.csv")
    assert table["request_goodput"].is_monotonic_decreasing
    assert set(table["limited_by"]) <= {"nothing", "queue", "frame", "pass"}
    assert len(set(table["limited_by"])) > 1
    assert "limited by" in printed


def test_a_failover_is_felt_for_longer_under_load(quick_run: Ran) -> None:
    folder, _ = quick_run("failover_under_load")
    table = pd.read_csv(folder / "failover_under_load.csv")
    for _, rows in table.groupby("outage_ms"):
        by_rate = rows.sort_values("rate_per_s")
        assert by_rate["delayed"].is_monotonic_increasing
    # Who was under way waits for the whole outage, to a frame.
    assert (table["max_delay_ms"] > 0.9 * table["outage_ms"]).all()
    assert (table["recovery_s"] * 1e3 > table["outage_ms"]).all()


def test_four_ways_to_pair_are_compared_by_user_and_by_megawatt(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = quick_table("pairing", tmp_path, monkeypatch)
    assert set(table["kind"]) == {"none", "prefill", "attention", "draft", "devices"}
    assert set(table["drafter"].dropna()) == {"machine", "devices"}
    ran = table[table["feasible"]]
    assert len(ran) == len(table)
    total = ran["users"] * ran["tokens_per_s_per_user"]
    assert ran["tokens_per_s"].to_numpy() == pytest.approx(total.to_numpy())
    # 215 W a chip and 700 W a GPU.
    watts = 215 * ran["chips"] + 700 * ran["devices"]
    assert (1e6 * ran["power_mw"]).to_numpy() == pytest.approx(watts.to_numpy())
    for side in ("machine", "devices", "link"):
        assert ran[f"{side}_idle_share"].dropna().between(0, 1).all()
    # No point of the front is beaten in both.
    front = ran[ran["pareto"]].sort_values("tokens_per_s_per_user")
    assert front["tokens_per_s_per_mw"].is_monotonic_decreasing
    # Prompts on GPUs never slow down decoding where these have time left.
    ways = ran.pivot_table("tokens_per_s_per_user", "users", "kind")
    both = ways.dropna(subset=["none", "prefill"])
    assert (both["prefill"] >= both["none"] * (1 - 1e-9)).all()
    first = pd.read_csv(tmp_path / "pairing_first_tokens.csv")
    assert (first["p99_ttft_ms"] > first["p50_ttft_ms"]).all()
    latency = pd.read_csv(tmp_path / "pairing_latency.csv")
    assert set(latency["kind"]) == {"attention", "draft"}
    report = capsys.readouterr().out.split("\nwrote ")[0]
    assert max(len(line) for line in report.splitlines()) <= 80


def test_the_latency_at_which_a_pairing_breaks_even_is_found() -> None:
    # A step of 100 us and two crossings.
    def per_user(latency_ns: int) -> float:
        return 1e9 / (100_000 + 2 * latency_ns)

    found = break_even_latency_us(per_user, 5_000)
    assert found == pytest.approx(50, rel=0.01)
    assert per_user(round(1000 * (found or 0))) >= 5_000
    assert break_even_latency_us(per_user, 10_001) is None
    assert break_even_latency_us(per_user, 1) == 100_000
