"""Small programs, sabotaged or altered in one place, to see which rule refuses what."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function, Regions, Value
from chip.program import Opcode, OperatorKind, Program
from compiler.compile_decode import compile_token
from compiler.dataflow_rules.attention_functions import ATTENTION_RULES
from compiler.dataflow_rules.experts.functions import EXPERT_RULES
from compiler.dataflow_rules.functions import OTHER_RULES
from compiler.dataflow_rules.head.functions import HEAD_RULES
from compiler.dataflow_rules.latent.functions import LATENT_RULES, latent_sizes
from compiler.dataflow_rules.linear.functions import LINEAR_RULES
from compiler.dataflow_rules.product_functions import PRODUCT_RULES
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.sum_functions import SUM_RULES
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS
from experiments.sabotage.program_edits import chosen_rows, with_rows
from experiments.sabotage.schedules import quick_schedules
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.errors import VerificationError
from specs.families.catalogue import FAMILIES
from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology
from workloads.model_graph import graph_of

Refused = Callable[..., str]
_DRAWS = 2
_RULES = (
    ATTENTION_RULES
    | PRODUCT_RULES
    | EXPERT_RULES
    | SUM_RULES
    | OTHER_RULES
    | HEAD_RULES
    | LINEAR_RULES
)


@cache
def _cases() -> dict[str, SabotageCase]:
    return {case.name: case._replace(results=None) for case in quick_schedules()}


@pytest.fixture(scope="session")
def case_of() -> Callable[[str], SabotageCase]:
    """Return a valid program: of a ``decoder``, of ``experts``, of a ``prompt``."""
    return lambda name: _cases()[f"small {name}"]


@pytest.fixture(scope="session")
def refused(case_of: Callable[[str], SabotageCase]) -> Refused:
    """Sabotage a small program; return why it is refused, of all draws alike."""

    def refuse(kind: str, variant: str, case: str = "decoder") -> str:
        (sabotage,) = [
            each for each in KINDS if (each.kind, each.variant) == (kind, variant)
        ]
        random = np.random.default_rng(1)
        made = [judged(case_of(case), sabotage, random) for _ in range(_DRAWS)]
        assert [one.verdict for one in made] == ["caught"] * _DRAWS
        messages = [one.message for one in made]
        # Where: an operator, a chip with a cycle, or the columns of a value.
        for message in messages:
            assert re.search(
                r"layers\.|head\.|embedding\.|chip \d|passes|cycle", message
            )
        return "\n".join(messages)

    return refuse


class Stated(NamedTuple):
    """Program of one token of a small model, with the plan that it follows."""

    program: Program
    plan: ShardingPlan

    @property
    def flow(self) -> Dataflow:
        assert self.program.dataflow is not None
        return self.program.dataflow

    @property
    def statements(self) -> Statements:
        task = self.plan.task
        graph = graph_of(
            task.model, task.machine.formats, context=task.context, batch=task.batch
        )
        return Statements(self.program, graph, self.plan.strategy.expert)

    def stating(self, **tables: object) -> "Stated":
        """Return the same with other tables of the dataflow."""
        flow = replace(self.flow, **tables)  # type: ignore[arg-type]
        return self._replace(program=replace(self.program, dataflow=flow))

    def working(self, operation: int, **fields: Any) -> "Stated":
        """Return the same with an operation whose instructions do other work."""
        table, code = self.flow.operations, self.program.instructions
        rows = (code.operator == table.operator[operation]) & (code.kind >= 0)
        # What is loaded ahead of it stays.
        rows &= code.opcode != Opcode.LOAD
        rows &= code.chip == table.chip[operation]
        work = self.program.kinds[int(code.kind[rows][0])].work._replace(**fields)
        kinds = (*self.program.kinds, OperatorKind(work, ()))
        changed = with_rows(code, np.flatnonzero(rows), kind=len(kinds) - 1)
        return self._replace(
            program=replace(self.program, kinds=kinds, instructions=changed)
        )


# Strategy, and fields of the model beside those of its family.
_MODELS: dict[str, tuple[str, Strategy, dict[str, object]]] = {
    "decoder": ("llama", Strategy(tensor=2, pipeline=1), {}),
    "shared heads": ("llama", Strategy(tensor=4, pipeline=1), {}),
    "grid": (
        "llama",
        Strategy(tensor=4, pipeline=1, layout=FeedForwardLayout.TWO_D),
        {},
    ),
    "biases": ("qwen2", Strategy(tensor=2, pipeline=1), {}),
    "head norms": ("qwen3", Strategy(tensor=2, pipeline=1), {"qkv_biases": True}),
    # Nothing is normed before a block, and heads are normed together.
    "norms behind": ("olmo2", Strategy(tensor=2, pipeline=1), {}),
    "post norms": ("gemma2", Strategy(tensor=2, pipeline=1), {}),
    # Embedding and head, or the feed-forward, are cut into parts of several stages.
    "cut": ("gpt2", Strategy(tensor=2, pipeline=5), {"vocabulary_size": 1 << 16}),
    "cut in two": ("llama", Strategy(tensor=2, pipeline=5), {}),
    "wide": ("gpt2", Strategy(tensor=2, pipeline=1), {}),
    # Matrices of several tiles of 320.
    "tiles": (
        "llama",
        Strategy(tensor=2, pipeline=1),
        {"intermediate_size": 2 * 330, "max_context_tokens": 700},
    ),
    "encoder": ("bert", Strategy(tensor=2, pipeline=1), {}),
    "experts": (
        "mixtral",
        Strategy(tensor=4, pipeline=1, expert=2),
        {"experts": 4, "experts_per_token": 2, "feed_forward_biases": True},
    ),
    # One norm, without a bias, is that of attention and of what is beside it.
    "parallel blocks": (
        "cohere",
        Strategy(tensor=2, pipeline=1),
        {"block_order": "one_norm"},
    ),
    "embedding norm": ("bloom", Strategy(tensor=2, pipeline=1), {"kv_heads": 4}),
    "sinks": (
        "gpt_oss",
        Strategy(tensor=4, pipeline=1),
        {"experts": 4, "experts_per_token": 2, "kv_heads": 2},
    ),
    "experts behind a LayerNorm": (
        "phimoe",
        Strategy(tensor=2, pipeline=1),
        {"experts": 4, "experts_per_token": 2, "head_biases": True},
    ),
    "shared expert": (
        "qwen2_moe",
        Strategy(tensor=4, pipeline=1, expert=2),
        {
            "experts": 4,
            "experts_per_token": 2,
            "shared_intermediate_size": 128,
            "shared_expert_gate": True,
            "router": {"bias": True, "correction": True, "scores": "sigmoid"},
        },
    ),
}


_LATENT = LatentAttention(
    query_rank=12, kv_rank=10, rotary_dim=4, plain_dim=6, value_dim=5
)
# Keys and values are made of latents, or heads attend to these if there are many.
_MODELS |= {
    name: (
        "llama",
        Strategy(tensor=2, pipeline=1),
        {"kv_heads": 4, "head_dim": 10, "latent": _LATENT, "max_context_tokens": 700},
    )
    for name in ("expanded", "absorbed")
}
# Linear attention, then full attention with gates.
_MODELS["linear"] = (
    "qwen3_5_text",
    Strategy(tensor=2, pipeline=1),
    {
        "layers": 2,
        "linear": LinearAttention(
            key_heads=2, value_heads=4, key_dim=6, value_dim=5, kernel=3
        ),
        "linear_layers": (0,),
    },
)
# Programs that read more than 16 positions.
_LONG = ("absorbed", "tiles")


@cache
def _stated(name: str) -> Stated:
    family, strategy, fields = _MODELS[name]
    context = 700 if name in _LONG else 16
    structure = FAMILIES[family]
    model = ModelSpec.model_validate(
        {
            "name": name,
            "family": family,
            "hidden_size": 32,
            "intermediate_size": 64,
            "layers": 1,
            "attention_heads": 4,
            "kv_heads": 4 if structure.biased else 2,
            "head_dim": 8,
            "vocabulary_size": 64,
            "tied_embeddings": False,
            "experts": 1,
            "experts_per_token": 1,
            "max_context_tokens": 64,
            "qkv_biases": structure.biased or structure.qkv_biased,
            "output_biases": structure.biased,
            "feed_forward_biases": structure.biased,
            "position_rows": 64 * structure.learned_positions,
            "token_types": 2 * structure.encoder,
            **fields,
        }
    )
    settings: dict[str, object] = {"clock.model": "ideal"}
    if name == "cut":
        settings |= {"chip.sram_bytes": 1 << 20, "chip.program_reserve_bytes": 4096}
    # Products in one part: those beside exchanges have tests of their own.
    machine = load_machine().with_settings({"compiler.overlap": False} | settings)
    topology = select_topology(strategy.chips)
    plan = plan_sharding(
        Task(model, machine, 1, context, 1).split_as(strategy),
        strategy,
        topology.active.astype(np.int64),
        sequences=1,
    )
    return Stated(compile_token(plan, topology).program, plan)


@pytest.fixture(scope="session")
def stated() -> Callable[[str], Stated]:
    """Return a valid program of one layer: a ``decoder`` of two chips, and others.

    Its model has 32 hidden columns, 64 intermediate ones, 4 heads of 8 rows (2 of keys)
    and a vocabulary of 64. It reads 16 positions. Chips have equal shares. ``tiles``
    has 660 intermediate columns and, as ``absorbed``, reads 700 positions.
    """
    return _stated


# Table, function and value of a region, and what becomes of it: numbers are added to
# its edges (of the region of a number, else the first), a name is that of the value it
# is of then, None takes it away, and a name in brackets puts a copy of another value
# beside it.
Edit = tuple[str, Function, str, dict[str, int] | str | list[str] | None]


def _edited(program: Stated, edit: Edit) -> tuple[Stated, int]:
    """Return a program with the region of an edit altered, and its operation."""
    table, function, ending, change = edit
    flow = program.flow
    regions: Regions = getattr(flow, table)
    named = [
        place
        for place, value in enumerate(flow.values)
        if f".{value.name}".endswith(f".{ending}")
    ]
    own = flow.operations.function[regions.owner] == function
    edges = dict(change) if isinstance(change, dict) else {}
    number = edges.pop("number", 0)
    row = int(np.flatnonzero(own & np.isin(regions.value, named))[number])
    owner, values = int(regions.owner[row]), flow.values
    if change is None:
        made = chosen_rows(regions, np.delete(np.arange(len(regions)), row))
    elif isinstance(change, dict):
        columns = {name: getattr(regions, name)[row] + by for name, by in edges.items()}
        made = with_rows(regions, row, **columns)
    else:
        other = change if isinstance(change, str) else change[0]
        block = values[int(regions.value[row])].name.removesuffix(ending)
        known = {value.name: value for value in values}
        value = Value(f"{block}{other}", values[int(regions.value[row])].number)
        value = known.get(value.name, value)
        values = values if value in values else (*values, value)
        at = row
        if not isinstance(change, str):
            at, rows = row + 1, np.arange(len(regions))
            regions = chosen_rows(regions, np.insert(rows, row, row))
        made = with_rows(regions, at, value=values.index(value))
    return program.stating(**{table: made, "values": values}), owner


@pytest.fixture(scope="session")
def edited() -> Callable[[Any, Edit], tuple[Any, int]]:
    """Return any program that states something with one statement altered."""
    return _edited


@pytest.fixture(scope="session")
def altered() -> Callable[..., tuple[Stated, str]]:
    """Return a program with statements altered, and the place of the first of them."""

    def alter(name: str, *edits: Edit) -> tuple[Stated, str]:
        program, owners = _stated(name), []
        for edit in edits:
            program, owner = _edited(program, edit)
            owners.append(owner)
        table = program.flow.operations
        operator = program.flow.names[table.name[owners[0]]]
        return program, f"{operator} on chip {table.chip[owners[0]]} (cycle "

    return alter


@pytest.fixture(scope="session")
def refusal(altered: Callable[..., tuple[Stated, str]]) -> Callable[..., str]:
    """Return why a rule refuses a program that is altered: at which columns, and what.

    The message must name the operator, the chip, the cycle and the columns.
    """

    def refuse(rule: Callable[[Stated], int], name: str, *edits: Edit) -> str:
        assert rule(_stated(name)) > 0
        program, where = altered(name, *edits)
        with pytest.raises(VerificationError) as error:
            rule(program)
        before, _, why = str(error.value).partition(where)
        assert why, f"{where} is not in {before}"
        assert re.match(r"\d+\)(, which makes columns \d+ to \d+ of |: makes )", why)
        return why.partition(": ")[2]

    return refuse


def _follows(function: Function) -> Callable[[Stated], int]:
    """Return the rule of a function, for all operations of it that a program has."""

    def rule(program: Stated) -> int:
        statements = program.statements
        rules = _RULES
        if latent_sizes(statements) is not None:
            rules = _RULES | LATENT_RULES
        return rules[function](statements, statements.of(function))

    return rule


@pytest.fixture(scope="session")
def followed() -> Callable[[str, Function], int]:
    """Return how many operations of a function the rule of it has checked."""

    def follow(name: str, function: Function) -> int:
        program = _stated(name)
        count = _follows(function)(program)
        assert count == len(program.statements.of(function))
        return count

    return follow


@pytest.fixture(scope="session")
def unfounded(refusal: Callable[..., str]) -> Callable[..., str]:
    """Return why the rule of an altered function refuses a program."""

    def refuse(name: str, *edits: Edit) -> str:
        return refusal(_follows(edits[0][1]), name, *edits)

    return refuse
