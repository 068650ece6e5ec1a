"""All published figures beside ours, for ``groqrack validate``."""

from experiments.published_chip import chip_rows, link_rows, model_rows
from experiments.published_deployment import deployment_rows
from experiments.published_lpx import lpx_rows
from experiments.published_network import network_rows
from experiments.published_timing import timing_rows
from experiments.published_wiring import wiring_rows
from experiments.validation import Row


def validation_rows() -> list[Row]:
    """Return all comparisons."""
    return [
        *wiring_rows(),
        *link_rows(),
        *timing_rows(),
        *chip_rows(),
        *model_rows(),
        *deployment_rows(),
        *network_rows(),
        *lpx_rows(),
    ]
