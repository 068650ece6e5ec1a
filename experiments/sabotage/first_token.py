"""First iteration of a small model or graph, by a program that may be sabotaged."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chip.dataflow import Pass, Value
from chip.program import Program
from experiments.execution.operator_settings import engine_weights, operator_settings
from experiments.execution.workload_execution import everywhere
from experiments.execution.workload_values import (
    engine_weights as graph_weights,
)
from experiments.execution.workload_values import (
    graph_settings,
    random_inputs,
)
from fabric.functional_engine.executor import execute
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from specs.graph import Role
from workloads.model_graph import graph_of
from workloads.reference.evaluation import random_weights

_SEED, _TOKEN = 1, 5
# What is compared, by value.
_RESULTS = (
    Value("head.logits", 0, answered=True),
    Value("head.token", 0, answered=True),
)
Results = dict[str, list[tuple[int, int, bytes]]]


def first_token(plan: ShardingPlan) -> Callable[[Program], Results]:
    """Return what executes programs of a plan with numbers, to judge sabotage.

    It returns the logits and the token on each chip, for a cache without positions.

    Parameters
    ----------
    plan
        Plan of a small decoder, with random weights.
    """
    task = plan.task
    graph = graph_of(task.model, context=1, batch=task.batch)
    weights = engine_weights(random_weights(graph, _SEED))
    settings = operator_settings(graph, task)
    tokens = np.full((task.batch, 1), _TOKEN)
    given = dict.fromkeys(plan.stages[0].chips.tolist(), tokens)

    def results(program: Program) -> Results:
        flow = program.dataflow
        if flow is not None:
            first = (Pass(1, 1, 1, task.batch),) * len(flow.passes)
            program = replace(program, dataflow=replace(flow, passes=first))
        done = execute(
            program,
            weights=weights,
            settings=settings,
            inputs={Value("tokens", 0): given},
        )
        return {
            value.name: [
                (chip, piece.first, piece.array.tobytes())
                for chip, pieces in done.held(value).items()
                for piece in pieces
            ]
            for value in _RESULTS
        }

    return results


def first_iteration(plan: WorkloadPlan) -> Callable[[Program], Results]:
    """Return what executes programs of a workload with numbers, to judge sabotage.

    It returns the outputs and the states that each chip is left.

    Parameters
    ----------
    plan
        Plan of a small workload, with random weights and inputs.
    """
    graph, states = plan.graph
    weights = graph_weights(plan, random_weights(graph, _SEED))
    given = random_inputs(plan, _SEED, 0)
    inputs = everywhere(plan, given, np.dtype(np.float32))
    settings = graph_settings(plan)
    outputs = [
        tensor.name for tensor in plan.workload.tensors if tensor.role is Role.OUTPUT
    ]

    def results(program: Program) -> Results:
        done = execute(program, weights=weights, settings=settings, inputs=inputs)
        return {
            name: [
                (chip, piece.first, piece.array.tobytes())
                for chip, pieces in done.held(Value(name, 0)).items()
                for piece in pieces
            ]
            for name in (*outputs, *states.values())
        }

    return results
