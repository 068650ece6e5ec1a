"""Files that served traffic leaves in its folder."""

import json
from pathlib import Path
from typing import Any

from experiments.plots.run_figure import picture_bytes
from experiments.service.traffic_figure import traffic_figure
from experiments.service.traffic_run import TrafficRun
from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes


def write_traffic(
    run: TrafficRun, document: dict[str, Any], folder: Path
) -> list[Path]:
    """Write requests, summary and picture of traffic; return their paths.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    check_writable(folder)
    text = json.dumps(document, indent=2) + "\n"
    return [
        write_bytes(folder / "requests.csv", csv_bytes(run.records)),
        write_bytes(folder / "summary.json", text.encode()),
        write_bytes(folder / "traffic.png", picture_bytes(traffic_figure(run))),
    ]
