"""Execution of a workload with random numbers, compared with its unsharded reference.

Iterations follow each other: each chip starts with the states that it has left.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from chip.dataflow import Value
from chip.program import Program
from experiments.execution.model_execution import MOST_CHIPS, MOST_PARAMETERS
from experiments.execution.workload_values import (
    engine_weights,
    graph_settings,
    random_inputs,
)
from fabric.functional_engine.executor import Executed, execute
from fabric.functional_engine.graph_settings import ValueShape, natural
from fabric.functional_engine.memory import Array, Piece
from sharding.workloads.workload_plan import WorkloadPlan
from specs.errors import PlanError, SpecError
from specs.graph import Lookup, Matmul, Role, Vector
from workloads.graphs.workload import Workload
from workloads.reference.evaluation import evaluate, random_weights


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkloadExecution:
    """Execution of a workload on simulated chips, beside its reference.

    Parameters
    ----------
    plan
        What was executed.
    differences
        The largest difference of each output and state by the largest value of it, over
        all iterations.
    iterations
        Iterations that were executed.
    operations, messages
        Operations and messages of all of them.
    drawn
        Whether the weights were random numbers.
    """

    plan: WorkloadPlan
    differences: Mapping[str, float]
    iterations: int
    operations: int
    messages: int
    drawn: bool = True

    @property
    def difference(self) -> float:
        """Return the largest difference."""
        return max(self.differences.values())

    def agrees(self, tolerance: float) -> bool:
        """Return whether all outputs and states differ by `tolerance` at most."""
        return self.difference <= tolerance


def check_workload(workload: Workload, chips: int) -> None:
    """Check that a workload says what it computes, and is small enough to compute it.

    Raises
    ------
    PlanError
        If it is too large, or takes too many chips.
    SpecError
        If an operator does not say what it computes; the message says what would.
    """
    for operator in workload.operators:
        if isinstance(operator, Vector) and operator.function is None:
            raise SpecError(
                f"{workload.name}: {operator.name} does not say what it computes, so "
                f"it is timed and not executed; give it a function, as in "
                f'function = "relu"'
            )
        if isinstance(operator, Matmul) and operator.chosen and not operator.choice:
            raise SpecError(
                f"{workload.name}: {operator.name} multiplies with {operator.chosen} "
                f"matrices of {operator.right} and does not say which; name the tensor "
                f"of their numbers as its choice"
            )
        if isinstance(operator, Lookup) and len(operator.index) != len(operator.tables):
            raise SpecError(
                f"{workload.name}: {operator.name} looks up {len(operator.tables)} "
                f"tables at the numbers of {len(operator.index)} tensors; name one for "
                f"each table in its index"
            )
    elements = sum(tensor.elements for tensor in workload.tensors)
    if elements > MOST_PARAMETERS:
        raise PlanError(
            f"{workload.name} has {elements:,} elements in its tensors, and up to "
            f"{MOST_PARAMETERS:,} are executed with real numbers; use smaller sizes"
        )
    if chips > MOST_CHIPS:
        raise PlanError(
            f"{chips:,} chips are too many to execute with real numbers; use --chips "
            f"{MOST_CHIPS} or fewer"
        )


def run_workload_execution(
    plan: WorkloadPlan,
    program: Program,
    *,
    iterations: int = 1,
    seed: int = 1,
    dtype: DTypeLike = np.float32,
    weights: Mapping[str, Array] | None = None,
    inputs: Mapping[str, Array] | None = None,
) -> WorkloadExecution:
    """Return the execution of a workload with numbers, beside its reference.

    Parameters
    ----------
    plan, program
        The plan, and the program that its compiler made.
    iterations
        Iterations, each with inputs of its own and the states of the one before.
    seed
        Seed of weights, inputs and first states.
    dtype
        Floating-point type on the chips; the reference is in 64 bits.
    weights, inputs
        Numbers of the weights, and of some inputs, the same in each iteration; random
        ones if None.

    Raises
    ------
    RackError
        If the workload cannot be executed, or a chip lacks what it reads.
    """
    check_workload(plan.workload, plan.strategy.chips)
    graph, states = plan.graph
    drawn = weights is None
    weights = random_weights(graph, seed) if weights is None else weights
    stored = engine_weights(plan, weights)
    settings = graph_settings(plan)
    results = _results(plan)
    largest = dict.fromkeys(results, 0.0)
    expected = random_inputs(plan, seed, 0)
    kept: dict[Value, Mapping[int, list[Piece]]] = {}
    for number in range(iterations):
        given = random_inputs(plan, seed, number) | dict(inputs or {})
        own = {
            tensor.name: given[tensor.name]
            for tensor in plan.workload.tensors
            if tensor.role is Role.INPUT
        }
        before = {name: value for name, value in expected.items() if name not in own}
        found = evaluate(graph, own | before, weights)
        placed = own | {
            name: value for name, value in before.items() if Value(name, 0) not in kept
        }
        executed = execute(
            program,
            weights=stored,
            settings=settings,
            inputs=everywhere(plan, placed, np.dtype(dtype)),
            kept=kept,
            dtype=dtype,
        )
        for name, value in results.items():
            made = _gathered(plan, executed, value)
            wanted = found[value]
            scale = float(np.abs(wanted).max()) or 1.0
            apart = float(np.abs(made - wanted).max()) / scale
            # What is no number agrees with nothing.
            largest[name] = max(largest[name], apart if np.isfinite(apart) else np.inf)
        kept = {
            Value(name, 0): executed.held(Value(after, 0))
            for name, after in states.items()
        }
        expected = before | {name: found[after] for name, after in states.items()}
    flow = program.dataflow
    assert flow is not None
    return WorkloadExecution(
        plan=plan,
        differences=largest,
        iterations=iterations,
        operations=iterations * len(flow.operations),
        messages=iterations * len(flow.messages),
        drawn=drawn,
    )


def _results(plan: WorkloadPlan) -> dict[str, str]:
    """Return the value of each output, and of each state after the iteration."""
    outputs = {
        tensor.name: tensor.name
        for tensor in plan.workload.tensors
        if tensor.role is Role.OUTPUT
    }
    return outputs | plan.graph.states


def _shape(plan: WorkloadPlan, name: str) -> ValueShape:
    """Return the shape of a value."""
    tensor = plan.graph.graph.tensor(name)
    return ValueShape(tensor.rows, tensor.columns, plan.numberings[name])


def everywhere(
    plan: WorkloadPlan, values: Mapping[str, Array], dtype: np.dtype[np.generic]
) -> dict[Value, dict[int, Array]]:
    """Return a workload's values as a program counts them, on every chip of a plan.

    Parameters
    ----------
    plan, values
        The plan, and matrices by the name of the value.
    dtype
        Type of those that are no integers.
    """
    placed = {}
    for name, value in values.items():
        elements = plan.numberings[name].elements
        order = plan.numberings[name].places(0, elements)
        kind = dtype if value.dtype.kind == "f" else value.dtype
        flat = value.reshape(-1)[order].astype(kind)
        placed[Value(name, 0)] = dict.fromkeys(plan.chips.tolist(), flat)
    return placed


def _gathered(plan: WorkloadPlan, executed: Executed, name: str) -> Array:
    """Return a result from the chips that hold it, as a matrix.

    An output that is gathered is on the first chip; of other results each chip may
    have a part.
    """
    known = plan.workload.by_name.get(name)
    alone = known is not None and known.gathered
    chips = plan.stage_of(plan.maker_of(name)).chips[:1] if alone else plan.chips
    elements = plan.numberings[name].elements
    flat = executed.assembled(Value(name, 0), frozenset(chips.tolist()), elements)
    return natural(_shape(plan, name), 0, elements, flat)
