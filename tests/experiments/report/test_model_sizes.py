import pytest

from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from compiler.search.search_result import SearchResult
from experiments.report.model_sizes import (
    CONTEXT_TOKENS,
    ModelSizes,
    model_sizes,
    sizes_table,
)
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_names
from topologies.selection import select_topology

GROQRACK = load_machine()


def _unsearched(model: ModelSpec) -> ModelSizes:
    return ModelSizes(
        model=model,
        weight_bytes=model.parameters,
        kv_bytes_per_position=2 * model.kv_elements,
        state_bytes_per_sequence=model.state_bytes(GROQRACK.formats.activations),
        fewest_chips=None,
        least_chips=10_000,
    )


def test_sizes_are_in_the_formats_of_the_machine() -> None:
    gpt2 = model_sizes(load_model("gpt2"), GROQRACK)
    assert gpt2.weight_bytes == 124_439_808
    # Keys and values of 12 layers of 768 elements, two bytes each.
    assert gpt2.kv_bytes_per_position == 2 * 12 * 768 * 2
    assert gpt2.fewest_chips == 1
    small = GROQRACK.with_settings({"formats.weights": "int4"})
    assert model_sizes(load_model("gpt2"), small).weight_bytes == 62_219_904


def test_a_document_has_the_model_and_what_is_to_know_of_its_config() -> None:
    model = load_model("gpt2").model_copy(update={"remarks": ("read so",)})
    document = model_sizes(model, GROQRACK).document()
    assert document["name"] == "gpt2"
    assert document["model_type"] == "gpt2"
    assert document["parameters"] == document["active_parameters"] == 124_439_808
    assert document["remarks"] == ["read so"]


def test_a_table_has_a_line_for_each_model_below_its_titles() -> None:
    sizes = [model_sizes(load_model(name), GROQRACK) for name in ("gpt2", "bert-base")]
    titles, units, gpt2, bert = sizes_table(sizes)
    assert titles.split()[:3] == ["name", "family", "params"]
    assert units.split() == ["G", "G", "B", "MB"]
    assert gpt2.split() == ["gpt2", "gpt2", "0.12", "0.12", "36,864", "0.0", "1"]
    # An encoder has no cache.
    assert bert.split()[-3:] == ["0", "0.0", "1"]
    assert len({len(line) for line in (titles, gpt2, bert)}) == 1


def test_a_table_of_all_models_is_no_wider_than_a_terminal() -> None:
    sizes = [_unsearched(load_model(name)) for name in model_names()]
    lines = sizes_table(sizes)
    assert len(lines) == 2 + len(sizes)
    assert max(map(len, lines)) <= 80


def test_a_name_that_is_too_long_for_a_line_stands_above_its_numbers() -> None:
    long = load_model("gpt2").model_copy(update={"name": "x" * 70})
    name, numbers = sizes_table([_unsearched(long)])[2:]
    assert name == "x" * 70
    assert numbers.split()[:2] == ["gpt2", "0.12"]
    assert len(numbers) <= 80


def test_the_largest_models_have_a_bound_in_place_of_a_search() -> None:
    sizes = model_sizes(load_model("deepseek-v3"), GROQRACK)
    assert sizes.fewest_chips is None
    # 671 GB of weights, and 220 MB of each chip for them.
    assert sizes.least_chips > 671_026_419_200 // GROQRACK.chip.sram_bytes
    assert sizes.chips_text == f">={sizes.least_chips:,}"
    assert sizes.document()["least_chips"] == sizes.least_chips


def test_no_fewer_chips_hold_a_model_than_it_has_bytes_for() -> None:
    for name in ("gpt2-xl", "phi-3-mini", "bert-large"):
        sizes = model_sizes(load_model(name), GROQRACK)
        assert sizes.fewest_chips is not None
        assert sizes.least_chips <= sizes.fewest_chips


def test_linear_attention_has_the_bytes_of_a_state() -> None:
    sizes = model_sizes(load_model("qwen3.5-27b"), GROQRACK)
    # 16 layers of 4 heads of 256 have keys and values in FP16, 48 others a state.
    assert sizes.kv_bytes_per_position == 16 * 2 * 4 * 256 * 2
    assert sizes.state_bytes_per_sequence == 153_944_064
    assert sizes.document()["state_bytes_per_sequence"] == 153_944_064


@pytest.mark.parametrize(("name", "memory"), [("gpt2-xl", 1), ("mixtral-8x7b", 20)])
def test_the_search_finds_a_schedule_on_the_fewest_chips_and_none_on_one_less(
    name: str, memory: int
) -> None:
    sram_bytes = memory * GROQRACK.chip.sram_bytes
    machine = GROQRACK.with_settings({"chip.sram_bytes": sram_bytes})
    model = load_model(name)
    fewest = model_sizes(model, machine).fewest_chips
    assert fewest is not None
    context = min(CONTEXT_TOKENS, model.max_context_tokens)
    task = Task(model, machine, 1, context, 1)

    def found(chips: int) -> SearchResult:
        topology = select_topology(chips, ports_per_chip=machine.chip.ports)
        return best_strategy(
            task, topology, objective=Objective.CHIPS, sequences=1, most_compiled=1
        )

    assert found(fewest).compiled[0].strategy.chips == fewest
    with pytest.raises(PlanError, match=f"use --chips {fewest} or more"):
        found(fewest - 1)
