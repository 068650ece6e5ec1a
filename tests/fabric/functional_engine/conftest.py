"""Calls of functions, and programs of a tiny model with all that they need."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Dataflow, Pass, Value
from chip.program import Program
from compiler.ir.schedule import Schedule
from experiments.execution.operator_settings import engine_weights, operator_settings
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.executor import Executed, execute
from fabric.functional_engine.settings import OperatorSettings
from workloads.model_graph import graph_of
from workloads.reference.evaluation import random_weights

MakeCall = Callable[..., Call]


@pytest.fixture(scope="session")
def call() -> MakeCall:
    """Make a call: operands are names with arrays, and columns from 0 or given."""

    def operand(name: str, array: Any, first: int = 0, parts: int = 1) -> Operand:
        numbers = np.array(array, dtype=float)
        columns = numbers.shape[-1]
        return Operand(name, first, first + columns, 0, parts, numbers)

    def make(
        *reads: tuple[Any, ...],
        weights: tuple[tuple[Any, ...], ...] = (),
        writes: int = 1,
        positions: tuple[int, int] = (1, 1),
        members: int = 1,
        **settings: Any,
    ) -> Call:
        query, context = positions
        return Call(
            chip=0,
            name="operator",
            settings=OperatorSettings(**settings),
            passed=Pass(context, query, 1, 1),
            weights=tuple(operand(*each) for each in weights),
            reads=tuple(operand(*each) for each in reads),
            writes=(Operand("result", 0, 1, 0, 1, np.zeros(0)),) * writes,
            members=members,
            caches=KeyValueCaches(),
            cache=None,
        )

    return make


@dataclass(frozen=True)
class FirstToken:
    """A program that computes the first token of a sequence, and what it needs."""

    program: Program
    weights: dict[str, Any]
    settings: dict[str, OperatorSettings]
    chips: tuple[int, ...]

    def executed(self, program: Program | None = None, **given: Any) -> Executed:
        tokens = dict.fromkeys(self.chips, np.array([[5]]))
        arguments: dict[str, Any] = {
            "weights": self.weights,
            "settings": self.settings,
            "inputs": {Value("tokens", 0): tokens},
        }
        return execute(program or self.program, **arguments | given)

    @property
    def dataflow(self) -> Dataflow:
        assert self.program.dataflow is not None
        return self.program.dataflow

    def tampered(self, **columns: Any) -> Program:
        """Return the program with columns of its dataflow replaced."""
        return replace(self.program, dataflow=replace(self.dataflow, **columns))


@cache
def _first_token(schedule: Schedule) -> FirstToken:
    task = schedule.plan.task
    graph = graph_of(task.model, context=1, batch=1)
    program = schedule.program
    assert program.dataflow is not None
    # The first position of an empty cache.
    flow = replace(program.dataflow, passes=(Pass(1, 1, 1, 1),))
    return FirstToken(
        replace(program, dataflow=flow),
        engine_weights(random_weights(graph, 1)),
        operator_settings(graph, task),
        tuple(schedule.plan.stages[0].chips.tolist()),
    )


@pytest.fixture
def first_token(compiled: Callable[..., Schedule]) -> FirstToken:
    """Return the first token of a tiny model on two stages of two chips."""
    return _first_token(compiled(2, 2))
