from pathlib import Path

import pytest

from serving.frame import Policy
from serving.traffic_file import load_traffic_file, traffic_file
from specs.errors import SpecError

FILE = """
model = "gpt2"
chips = 8
strategy = "tensor=2,pipeline=4"
[frame]
slots = 4
policy = "slots"
[traffic]
arrivals = "trace"
trace = "day.csv"
[slo]
ttft_ms = 200
"""


def test_a_file_names_its_trace_from_its_own_folder(tmp_path: Path) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(FILE)
    file = traffic_file(load_traffic_file(path), str(path))
    assert file.traffic.trace == str(tmp_path / "day.csv")
    assert file.frame is not None
    assert (file.frame.policy, file.frame.windows) == (Policy.SLOTS, 0)
    assert file.slo.ttft_ms == 200


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"frame": {"slots": 0}}, "frame.slots = 0"),
        ({"frame": {"slots": 1, "policy": "window"}}, "frame.policy = 'window'"),
        ({"frame": {"slots": 1, "policy": "apart"}}, "give both or neither"),
        (
            {
                "frame": {"slots": 1, "in_flight": True},
                "speculation": {"drafted_tokens": 2, "acceptance": 0.5},
            },
            "leave one out",
        ),
        ({"trafic": {}}, "did you mean 'traffic'"),
        ({"cache": {"sram_token": 5}}, "did you mean 'sram_tokens'"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(
    content: dict[str, object], fault: str
) -> None:
    with pytest.raises(SpecError, match=fault):
        traffic_file(content, "traffic.toml")


def test_a_file_whose_traffic_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text("traffic = 3\n")
    with pytest.raises(SpecError, match="traffic must be a table"):
        load_traffic_file(path)
