"""Folders of runs: one simulated, one that served requests, one with hostile names."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from experiments.html_report.run_folder import RunFolder, read_run_folder
from experiments.service.traffic_files import write_traffic
from experiments.service.traffic_run import run_traffic, traffic_document
from serving.traffic_file import traffic_file

HOSTILE = "</script><img src=x onerror=alert(1)>&'\"\u2028"


@pytest.fixture(scope="session")
def simulated(small_folder: Path) -> RunFolder:
    return read_run_folder(small_folder)


@pytest.fixture(scope="session")
def served_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = traffic_file(
        {
            "model": "gpt2",
            "chips": 4,
            "strategy": "tensor=2,pipeline=2",
            "settings": {"model.layers": 2},
            "context": 64,
            "frame": {"slots": 4, "windows": 2, "chunk_tokens": 8},
            "traffic": {
                "arrivals": "poisson",
                "rate_per_s": 1000,
                "requests": 40,
                "prompt": {"kind": "lognormal", "median": 15, "sigma": 0.5, "max": 30},
                "output": {"kind": "lognormal", "median": 10, "sigma": 0.5, "max": 30},
            },
            "slo": {"ttft_ms": 1},
        },
        "test",
    )
    run = run_traffic(file)
    folder = tmp_path_factory.mktemp("served") / "traffic"
    write_traffic(run, traffic_document(run), folder)
    return folder


@pytest.fixture(scope="session")
def served(served_folder: Path) -> RunFolder:
    return read_run_folder(served_folder)


@pytest.fixture(scope="session")
def hostile_folder(
    small_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the small run with names that would break a page, and other numbers."""
    folder = tmp_path_factory.mktemp("hostile") / HOSTILE.replace("/", "")
    shutil.copytree(small_folder, folder)
    path = folder / "summary.json"
    summary = json.loads(path.read_text())
    summary["model"]["name"] = summary["inputs"]["model"] = HOSTILE
    summary["plan"]["strategy"] = HOSTILE
    summary["schedule"]["guard_cycles"] += 10
    path.write_text(json.dumps(summary))
    timeline = pd.read_csv(folder / "timeline.csv")
    timeline["name"] = HOSTILE + timeline["name"]
    timeline.to_csv(folder / "timeline.csv", index=False)
    return folder
