from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chip.dataflow import Function
from chip.program import Opcode
from compiler.ir.dataflow_emission import emit_dataflow
from compiler.ir.schedule import Schedule

Compile = Callable[..., Schedule]


def test_operations_are_in_the_order_of_the_chips_work(compiled: Compile) -> None:
    flow = compiled(4, 2).program.dataflow
    assert flow is not None
    table = flow.operations
    order = table.operator.astype(np.int64) * 100 + table.chip
    assert (np.diff(order) >= 0).all()
    for regions in (flow.reads, flow.writes):
        assert (np.diff(regions.owner) >= 0).all()
        assert regions.owner.max() < len(table)
    # Every operation makes something.
    assert len(np.unique(flow.writes.owner)) == len(table)


def test_every_train_carries_a_share_of_a_message_of_its_operator(
    compiled: Compile,
) -> None:
    program = compiled(3, 4).program
    flow, code = program.dataflow, program.instructions
    assert flow is not None
    assert len(flow.train_message) == len(program.trains)
    sends = np.flatnonzero(code.opcode == Opcode.SEND)
    message = flow.train_message[code.train[sends]]
    assert (flow.messages.operator[message] == code.operator[sends]).all()
    assert (flow.messages.source[message] == code.chip[sends]).all()


def test_equal_layers_have_operations_of_their_own_names(compiled: Compile) -> None:
    flow = compiled(2, 1).program.dataflow
    assert flow is not None
    for layer in range(2):
        assert f"layers.{layer}.attention.scores" in flow.names
    functions = set(flow.operations.function.tolist())
    assert {Function.LOOKUP, Function.PRODUCT, Function.SAMPLE} <= functions


def test_a_timeline_that_states_nothing_has_no_dataflow(compiled: Compile) -> None:
    timeline = compiled(2, 1).timeline
    silent = replace(
        timeline,
        entries=tuple(entry._replace(dataflow=None) for entry in timeline.entries),
    )
    assert emit_dataflow(silent, []) is None
