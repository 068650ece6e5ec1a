"""Traffic: which requests come, as the section of a traffic file says."""

from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from serving.requests.arrivals import drawn_arrivals
from serving.requests.lengths import LengthSpec, drawn_lengths
from serving.requests.request_table import RequestTable, Tier, request_table
from serving.requests.speculation import drawn_turns
from serving.requests.traces import TraceColumns, trace_table
from specs.arrays import Ints
from specs.bounds import MOST_REQUESTS
from specs.validation import Spec


class TrafficSpec(Spec):
    """Requests that come.

    Parameters
    ----------
    arrivals
        ``poisson``, ``gamma``, ``constant``, ``closed`` or ``trace``.
    rate_per_s, burstiness
        Requests per second, and the shape of the gamma distribution of intervals.
    requests
        Number of requests.
    max_concurrency
        Requests that users have under way at a time, 0 for any number.
    prompt, output
        Lengths of prompts and answers.
    trace, speed
        File of a trace, and by which factor its requests come faster.
    timestamp_column, prompt_tokens_column, output_tokens_column
        Names of the columns of a JSONL trace.
    classes, tenants
        Number of classes and of organisations, drawn evenly.
    flex_share
        Share of requests of the tier ``flex``.
    prefix_groups, prefix_tokens
        Number of shared prefixes, drawn evenly, and their positions.
    """

    arrivals: Literal["poisson", "gamma", "constant", "closed", "trace"] = "poisson"
    rate_per_s: float = Field(default=1.0, gt=0)
    burstiness: float = Field(default=1.0, gt=0)
    requests: int = Field(default=1000, ge=1, le=MOST_REQUESTS)
    max_concurrency: int = Field(default=0, ge=0)
    prompt: LengthSpec = LengthSpec(tokens=512)
    output: LengthSpec = LengthSpec(tokens=128)
    trace: str | None = None
    speed: float = Field(default=1.0, gt=0)
    timestamp_column: str = "timestamp"
    prompt_tokens_column: str = "prompt_tokens"
    output_tokens_column: str = "output_tokens"
    classes: int = Field(default=1, ge=1)
    tenants: int = Field(default=1, ge=1)
    flex_share: float = Field(default=0, ge=0, le=1)
    prefix_groups: int = Field(default=0, ge=0)
    prefix_tokens: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names_a_trace_if_it_is_one(self) -> Self:
        if (self.arrivals == "trace") != (self.trace is not None):
            raise ValueError(
                'arrivals = "trace" and trace = FILE go together; give both or neither'
            )
        if self.arrivals == "closed" and not self.max_concurrency:
            raise ValueError(
                'arrivals = "closed" needs max_concurrency, the number of users'
            )
        return self


class TurnLaw(NamedTuple):
    """Tokens of a decode turn: K are drafted, and each is accepted or not."""

    drafted_tokens: int = 0
    acceptance: float = 0.0


class Traffic(NamedTuple):
    """Requests, and how many of a trace had failed before.

    Attributes
    ----------
    requests
        The requests.
    failed_in_trace
        Requests of the trace that had no answer, which are left out.
    """

    requests: RequestTable
    failed_in_trace: int


def traffic(
    spec: TrafficSpec,
    *,
    seed: int,
    block_tokens: int = 0,
    law: TurnLaw = TurnLaw(),  # noqa: B008
) -> Traffic:
    """Return the requests that come; the same seed gives the same ones.

    Parameters
    ----------
    spec
        What comes.
    seed
        Seed of all chance.
    block_tokens
        Positions of a block of the prefix cache; 0 without one.
    law
        What a decode turn gives.

    Raises
    ------
    SpecError
        If a trace cannot be read.
    """
    # One generator for each thing that is drawn: adding one moves no other.
    randoms = [
        np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(8)
    ]
    arriving, prompting, answering, classing, renting, tiering, sharing, drafting = (
        randoms
    )
    failed = 0
    if spec.trace is not None:
        columns = TraceColumns(
            spec.timestamp_column, spec.prompt_tokens_column, spec.output_tokens_column
        )
        table, failed = trace_table(
            Path(spec.trace), spec.requests, columns, speed=spec.speed
        )
    else:
        table = request_table(
            drawn_arrivals(
                spec.arrivals,
                spec.requests,
                rate_per_s=spec.rate_per_s,
                burstiness=spec.burstiness,
                random=arriving,
            ),
            drawn_lengths(spec.prompt, spec.requests, prompting),
            drawn_lengths(spec.output, spec.requests, answering),
        )
    count = table.size
    blocks = table.blocks
    if spec.prefix_groups and block_tokens:
        groups = sharing.integers(0, spec.prefix_groups, count)
        blocks = _shared_blocks(groups, table.prompt_tokens, spec, block_tokens)
    flex = tiering.random(count) < spec.flex_share
    requests = table._replace(
        turns=drawn_turns(
            table.output_tokens - 1,
            drafted_tokens=law.drafted_tokens,
            acceptance=law.acceptance,
            random=drafting,
        ),
        kind=classing.integers(0, spec.classes, count),
        tenant=renting.integers(0, spec.tenants, count),
        tier=np.where(flex, Tier.FLEX, Tier.ON_DEMAND).astype(np.int64),
        blocks=blocks,
    )
    return Traffic(requests, failed)


def _shared_blocks(
    groups: Ints, prompt_tokens: Ints, spec: TrafficSpec, block_tokens: int
) -> tuple[tuple[int, ...], ...]:
    """Return the blocks of each prompt's prefix, the same in a group."""
    most = spec.prefix_tokens // block_tokens
    whole = np.minimum(prompt_tokens // block_tokens, most)
    return tuple(
        tuple(range(group * most, group * most + count))
        for group, count in zip(groups.tolist(), whole.tolist(), strict=True)
    )
