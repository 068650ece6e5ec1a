"""Runner of programs: passes of a model compiled, and executed with real numbers."""

from collections.abc import Mapping
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from chip.dataflow import Value
from chip.program import Program
from compiler.compile_decode import compile_token
from compiler.compile_prefill import compile_prefill
from experiments.execution.operator_settings import engine_weights, operator_settings
from experiments.run.preparation import Prepared
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.executor import Executed, execute
from fabric.functional_engine.memory import Array
from sharding.partition.embedding import TOKENS
from sharding.partition.head import TOKEN
from sharding.planner.chunked_prefill import pass_plan, prompt_chunks
from sharding.planner.plan import ShardingPlan
from workloads.model_graph import graph_of

LOGITS, POOLED = "head.logits", "head.pooled"


@final
class ProgramRunner:
    """Runner of the programs of a plan, whose KV caches grow from one to the next.

    Rows of all replicas follow each other: sequences of the first, then of the next.

    Parameters
    ----------
    prepared
        The plan.
    weights
        Weights of the model by name.
    dtype
        Floating-point type on the chips.

    Attributes
    ----------
    programs
        Programs that were executed so far.
    """

    def __init__(
        self, prepared: Prepared, weights: Mapping[str, Array], dtype: DTypeLike
    ) -> None:
        self._prepared = prepared
        self._plan, self._model = prepared.plan, prepared.model
        self._weights = engine_weights(weights)
        self._dtype = dtype
        self._caches = KeyValueCaches()
        self.programs: list[Program] = []

    def sequences(self, rows: Array, replica: int) -> Array:
        """Return the rows of a replica's sequences."""
        batch = self._plan.task.batch
        return rows[replica * batch : (replica + 1) * batch]

    def pooled(self, given: Array) -> Array:
        """Return an encoder's pooled states of whole sequences."""
        schedule = compile_token(self._plan, self._prepared.topology)
        executed = self._executed(schedule.program, self._plan, {0: given})
        columns = self._model.hidden_size
        leaders = [int(each.stages[-1].chips[0]) for each in self._plan.replicas]
        return np.vstack(
            [
                executed.assembled(Value(POOLED, 0), frozenset([leader]), columns)
                for leader in leaders
            ]
        )

    def prefilled(self, given: Array, chunk_tokens: int) -> tuple[Array, Array]:
        """Return the tokens chosen behind a prompt, and their logits.

        Parameters
        ----------
        given
            Prompts of all sequences, shape (sequences, positions).
        chunk_tokens
            Positions that are computed together, 0 for the fastest.
        """
        prompt = given.shape[1]
        answers, logits = [], []
        for number, replica in enumerate(self._plan.replicas):
            rows = self.sequences(given, number)
            prefill = compile_prefill(
                replica, self._prepared.topology, prompt, chunk_tokens
            )
            chunks, begin = {}, 0
            sizes = prompt_chunks(prompt, prefill.chunk_tokens)
            for place, size in enumerate(sizes):
                chunks[place] = rows[:, begin : begin + size]
                begin += size
            executed = self._executed(prefill.schedule.program, replica, chunks)
            answer, own = self._answered(executed, replica, len(sizes) - 1)
            answers.append(answer)
            logits.append(own)
        return np.vstack(answers), np.vstack(logits)

    def decoded(self, given: Array, context: int) -> tuple[Array, Array]:
        """Return the next tokens of all sequences and their logits at a context.

        Parameters
        ----------
        given
            The last token of each sequence, shape (sequences, 1).
        context
            Positions of each sequence, this one included.
        """
        plan = pass_plan(self._plan, self._plan.task._replace(context=context))
        schedule = compile_token(plan, self._prepared.topology)
        executed = self._executed(schedule.program, plan, {0: given})
        answers, logits = [], []
        for replica in plan.replicas:
            answer, own = self._answered(executed, replica, 0)
            answers.append(answer)
            logits.append(own)
        return np.vstack(answers), np.vstack(logits)

    def _executed(
        self, program: Program, plan: ShardingPlan, given: dict[int, Array]
    ) -> Executed:
        """Execute a program on the tokens of each of its passes."""
        self.programs.append(program)
        assert program.dataflow is not None
        last = program.dataflow.passes[-1]
        graph = graph_of(
            self._model,
            context=last.context_tokens,
            batch=last.batch,
            query_tokens=last.query_tokens,
        )
        inputs: dict[Value, dict[int, Array]] = {}
        for number, rows in given.items():
            inputs[Value(TOKENS, number)] = {
                chip: self.sequences(rows, place).reshape(-1, 1)
                for place, replica in enumerate(plan.replicas)
                for chip in replica.stages[0].chips.tolist()
            }
        return execute(
            program,
            weights=self._weights,
            settings=operator_settings(graph, plan.task),
            inputs=inputs,
            caches=self._caches,
            dtype=self._dtype,
        )

    def _answered(
        self, executed: Executed, replica: ShardingPlan, number: int
    ) -> tuple[Array, Array]:
        """Return the tokens that came back to a replica's first stage, and logits."""
        chips = frozenset(
            chip for stage in replica.stages for chip in stage.chips.tolist()
        )
        logits = executed.assembled(
            Value(LOGITS, number, answered=True), chips, self._model.vocabulary_size
        )
        returned = Value(TOKEN, number, answered=True)
        answers = [
            executed.assembled(returned, frozenset([chip]), 1)
            for chip in replica.stages[0].chips.tolist()
        ]
        for other in answers[1:]:
            assert np.array_equal(other, answers[0]), "chips have different tokens"
        return answers[0], logits
