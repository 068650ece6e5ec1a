"""Execution of a model with random weights, compared with its unsharded reference.

A prompt runs in chunks, then tokens follow one by one with a growing KV cache. Each is
compiled, and its program is executed with real numbers.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from experiments.execution.operator_settings import random_tokens
from experiments.execution.program_runner import POOLED, ProgramRunner
from experiments.run.preparation import Prepared
from fabric.functional_engine.memory import Array
from sharding.partition.embedding import TOKENS
from specs.errors import PlanError
from specs.model import ModelSpec
from workloads.decoding import decode
from workloads.model_graph import graph_of
from workloads.reference.evaluation import evaluate, random_weights

MOST_PARAMETERS = 50_000_000
MOST_CHIPS = 72


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Execution:
    """Execution of a model on simulated chips, beside its reference.

    Parameters
    ----------
    prepared
        What was executed.
    tokens, expected_tokens
        Tokens that the chips and the reference chose, shape (sequences, tokens);
        sequences of all replicas. An encoder chooses none.
    difference
        The largest difference of an output by the largest output of its row: of logits,
        or of an encoder's pooled states.
    programs, operations, messages
        Programs that were executed, and operations and messages of all of them.
    """

    prepared: Prepared
    tokens: Array
    expected_tokens: Array
    difference: float
    programs: int
    operations: int
    messages: int

    def agrees(self, tolerance: float) -> bool:
        """Return whether tokens are equal and outputs differ by `tolerance` at most."""
        same = np.array_equal(self.tokens, self.expected_tokens)
        return same and self.difference <= tolerance


def check_executable(model: ModelSpec, chips: int) -> None:
    """Check that a model and its chips are small enough to compute with real numbers.

    Raises
    ------
    PlanError
        If they are not.
    """
    if model.parameters > MOST_PARAMETERS:
        raise PlanError(
            f"{model.name} has {model.parameters:,} parameters, and a model of up to "
            f"{MOST_PARAMETERS:,} is executed with real numbers; shrink it, as with "
            f"--set model.layers=2 --set model.hidden_size=64 --set "
            f"model.intermediate_size=128 --set model.vocabulary_size=256"
        )
    if chips > MOST_CHIPS:
        raise PlanError(
            f"{chips:,} chips are too many to execute with real numbers; use --chips "
            f"{MOST_CHIPS} or fewer"
        )


def run_execution(
    prepared: Prepared,
    *,
    tokens: int,
    prompt: int = 0,
    prefill_chunk: int = 0,
    seed: int = 1,
    dtype: DTypeLike = np.float32,
) -> Execution:
    """Return the execution of a plan with random weights, beside its reference.

    Parameters
    ----------
    prepared
        The plan; its context holds the prompt and the tokens.
    tokens
        Decode tokens of each sequence; an encoder computes one pass instead.
    prompt, prefill_chunk
        Positions of the prompt, 0 for a single first token; and of each chunk, 0 for
        the fastest.
    seed
        Seed of the weights and the prompt.
    dtype
        Floating-point type on the chips; the reference is in 64 bits.

    Raises
    ------
    RackError
        If the model is too large, no schedule holds, or a chip lacks what it reads.
    """
    check_executable(prepared.model, len(prepared.topology.active))
    model, task = prepared.model, prepared.plan.task
    graph = graph_of(model, context=task.context, batch=task.batch)
    weights = random_weights(graph, seed)
    runner = ProgramRunner(prepared, weights, dtype)
    replicas = range(len(prepared.plan.replicas))

    def drawn(positions: int) -> Array:
        shape = (len(replicas) * task.batch, positions)
        return random_tokens(model.vocabulary_size, shape, seed)

    if not prepared.makes_tokens:
        given = drawn(task.context)
        own = runner.pooled(given)
        pooled = [
            evaluate(
                graph,
                {TOKENS: runner.sequences(given, number).reshape(-1, 1)},
                weights,
            )[POOLED]
            for number in replicas
        ]
        none = np.zeros((len(given), 0), dtype=np.int64)
        outputs = own, np.vstack(pooled)
        return _execution(prepared, runner, tokens=(none, none), outputs=outputs)
    given = drawn(max(prompt, 1))
    steps = [runner.prefilled(given, prefill_chunk)] if prompt else []
    first = given.shape[1] + bool(prompt)
    for context in range(first, first + tokens):
        steps.append(runner.decoded(steps[-1][0] if steps else given, context))
    expected = [
        decode(model, weights, runner.sequences(given, number), len(steps))
        for number in replicas
    ]
    chosen = np.hstack([answers for answers, _ in steps])
    logits = np.stack([rows for _, rows in steps], axis=1)
    return _execution(
        prepared,
        runner,
        tokens=(chosen, np.vstack([each.tokens for each in expected])),
        outputs=(logits, np.vstack([each.logits for each in expected])),
    )


def _execution(
    prepared: Prepared,
    runner: ProgramRunner,
    *,
    tokens: tuple[Array, Array],
    outputs: tuple[Array, Array],
) -> Execution:
    """Return the execution of programs: tokens and outputs, then those expected."""
    own, expected = outputs
    largest = np.abs(expected).max(axis=-1, keepdims=True)
    flows = [each.dataflow for each in runner.programs if each.dataflow]
    return Execution(
        prepared=prepared,
        tokens=tokens[0],
        expected_tokens=tokens[1],
        difference=float((np.abs(own - expected) / largest).max()),
        programs=len(runner.programs),
        operations=sum(len(each.operations) for each in flows),
        messages=sum(len(each.messages) for each in flows),
    )
