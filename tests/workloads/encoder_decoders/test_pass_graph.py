import json
from pathlib import Path

import pytest

from specs.encoder_decoders.pass_names import PassName
from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.errors import SpecError
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.pass_graph import graph_of_model, graph_of_pass
from workloads.graphs.workload import load_workload


def test_a_pass_of_a_file_is_a_workload(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(CASES["t5"]), encoding="utf-8")
    workload = load_workload(f"{path}:decoder,context=5,positions=7")
    assert workload.name == "mine decoder, context 5, 7 positions"
    cache = workload.by_name["decoder.layers.0.attention.key_cache"]
    assert cache.shape == "4 of 5 x 5"
    assert workload.by_name["cross.layers.0.keys"].shape == "4 of 5 x 7"


def test_a_pass_has_all_positions_of_its_model_unless_it_says_how_many() -> None:
    model = encoder_decoder_from_config(CASES["whisper"], "mine")
    graph = graph_of_model(model, PassName("mine", "decoder", None, None))
    assert graph.name == "mine decoder, context 7, 9 positions"


def test_what_is_no_encoder_decoder_has_no_pass() -> None:
    assert graph_of_pass("gemm:2x3x4") is None
    assert graph_of_pass("gpt2") is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("t5-small", "write t5-small:encoder or t5-small:decoder"),
        ("gpt2:decoder", "gpt2 is no encoder-decoder that is shipped"),
        (
            "whisper-large-v3:encoder,positions=1501",
            "has learned its positions, and only 1500: positions=1501 is beyond them",
        ),
        ("whisper-large-v3:decoder,context=449", "use context=448 or less"),
    ],
)
def test_a_pass_that_there_is_not_is_refused(name: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        graph_of_pass(name)
