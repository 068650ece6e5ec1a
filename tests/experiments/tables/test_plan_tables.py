"""Tables of a compiled plan: slices, stages and instructions."""

from dataclasses import replace

from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.tables.plan_tables import plan_table, schedule_table, stages_table
from sharding.parallelism.tensor_group import Routing


def test_slices_of_a_tensor_cover_each_of_its_elements_once(small_run: Run) -> None:
    table = plan_table(small_run.prepared)
    rows = table["row_end"] - table["row_start"]
    columns = table["column_end"] - table["column_start"]
    # FP8 weights: an element is a byte.
    assert (rows * columns).tolist() == table["bytes"].tolist()
    query = table[table["tensor"] == "model.layers.0.self_attn.q_proj.weight"]
    assert query["chip"].tolist() == [0, 1, 2, 3, 4]
    assert query["row_start"].tolist() == [0, 128, 256, 384, 512]
    assert query["row_end"].tolist() == [128, 256, 384, 512, 640]
    assert query["column_end"].tolist() == [640] * 5


def test_routing_is_a_column_unless_it_is_the_worst_case(small_run: Run) -> None:
    assert isinstance(small_run.prepared, Prepared)
    plan = small_run.prepared.plan
    assert list(plan_table(small_run.prepared).columns) == list(COLUMNS["plan"])
    strategy = replace(plan.strategy, expert=5, routing=Routing.BALANCED)
    prepared = replace(small_run.prepared, plan=replace(plan, strategy=strategy))
    assert set(plan_table(prepared)["routing"]) == {"balanced"}


def test_a_stage_is_a_group_of_five_chips_with_as_many_products(
    small_run: Run,
) -> None:
    table = stages_table(small_run)
    cycles = list(small_run.schedule.timeline.stage_cycles)
    assert table.drop(columns="fullest_chip_bytes").to_dict("list") == {
        "replica": [0, 0, 0, 0],
        "stage": [0, 1, 2, 3],
        "chips": [5, 5, 5, 5],
        "first_chip": [0, 5, 10, 15],
        # The small matrices take a round of tiles each: an attention of four products
        # weighs as much as two feed-forwards.
        "layers": ["0", "0-1", "1-2", "3"],
        "feed_forward_share": [0.0, 1.0, 2.0, 1.0],
        "stage_cycles": cycles,
    }
    fullest = [int(s.memory.total.max()) for s in small_run.prepared.plan.stages]
    assert table["fullest_chip_bytes"].tolist() == fullest


def test_an_instruction_has_the_names_of_its_slice_opcode_and_operator(
    small_run: Run,
) -> None:
    table = schedule_table(small_run)
    assert len(table) == len(small_run.schedule.program.instructions.chip)
    columns = ["slice", "opcode", "name", "train", "vectors"]
    assert table[columns].to_dict("split")["data"][1] == ["MEM", "READ", "embed", -1, 0]
    sends = table[table["opcode"] == "SEND"]
    assert set(sends["slice"]) == {"C2C_OUT"}
    assert (sends["link"] >= 0).all()
    assert (sends["vectors"] > 0).all()
    # A mark belongs to no operator.
    assert set(table.loc[table["operator"] == -1, "name"]) == {""}
