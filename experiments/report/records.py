"""Records of a summary: frozen values whose fields are keys of the JSON document."""

from dataclasses import asdict, dataclass, fields
from typing import Any, final

from experiments.run.context_buckets import BucketFacts
from experiments.run.energy import Energy
from experiments.run.prompt import PrefillFacts
from experiments.run.workload import WorkloadFacts


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model's size, and what its weights take on the machine."""

    name: str
    layers: int
    parameters: int
    weight_bytes: int
    weight_formats: str
    kv_cache_format: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """A machine's name, size, clock and distances; `links` counts cables."""

    name: str
    topology: str
    clock_hz: int
    chips: int
    active_chips: int
    links: int
    diameter_hops: int
    mean_hops: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """A split, and how full it makes the chips.

    Attributes
    ----------
    split
        The keys of the strategy, by name: of a model ``tensor``, ``pipeline`` and so
        on, of a workload ``column``, ``row`` and ``pipeline``.
    """

    strategy: str
    split: dict[str, Any]
    chips_used: int
    fullest_chip_bytes: int
    sram_bytes_per_chip: int

    def document(self) -> dict[str, Any]:
        """Return the record with the keys of the strategy among its own."""
        facts = asdict(self)
        return {"strategy": facts.pop("strategy"), **facts.pop("split"), **facts}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleFacts:
    """Size, length and certificate of a schedule."""

    instructions: int
    trains: int
    vectors: int
    latency_cycles: int
    turn_cycles: int
    lower_bound_cycles: int
    hidden_cycles: int
    guard_cycles: int
    deskew_interval_cycles: int
    sequence_interval_cycles: int
    certificate: str | None
    checks: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyDistribution:
    """Distribution of the latencies of iterations, in ns."""

    min: float
    p50: float
    p99: float
    max: float
    mean: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IterationFacts:
    """Iterations that were delivered: how many, how long, and where cycles went."""

    count: int
    latency_ns: LatencyDistribution | None
    breakdown_cycles: dict[str, int]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRates:
    """Rates of a language model.

    The time to the first token holds the aligned start and the prompt.
    """

    tokens_per_s_per_user: float
    tokens_per_s_pipeline: float
    tokens_per_s_with_prompts: float | None
    time_to_first_token_ns: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FaultCounts:
    """What broke, what was repaired, and what was lost."""

    error_model: str
    fec_corrected: int
    fec_uncorrectable: int
    replays: int
    failovers: int
    tokens_lost: int
    trains_lost: int
    failover_us: float
    failover_parts_us: dict[str, float]
    missing: list[dict[str, Any]]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ViolationCounts:
    """Violations of the schedule; the verifier has excluded conflicts on links."""

    underflow: int
    overflow: int
    link_conflict: int = 0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """How the run was made, and its trajectory hash."""

    engine: str
    seed: int
    iterations: int
    events: int
    wall_s: float
    peak_rss_bytes: int
    realtime_factor: float
    alignment_epochs: int
    alignment_ns: float
    trajectory_hash: str
    version: str


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a run says, computed once; a part that does not apply is None.

    There are no rates where no token was delivered, as of an encoder's pass.
    """

    schema: str
    inputs: dict[str, Any]
    model: ModelFacts | None
    workload: WorkloadFacts | None
    machine: MachineFacts
    plan: PlanFacts
    schedule: ScheduleFacts
    iteration: IterationFacts
    prefill: PrefillFacts | None
    buckets: list[BucketFacts] | None
    token: TokenRates | None
    energy: Energy
    faults: FaultCounts
    violations: ViolationCounts
    run: RunFacts

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON values.

        Parts that do not apply are left out; rates and latencies of a model that
        delivered nothing are null.
        """
        values = {
            name: value for name, value in asdict(self).items() if value is not None
        }
        values["plan"] = self.plan.document()
        if self.iteration.latency_ns is None:
            values["iteration"]["latency_ns"] = _nulls(LatencyDistribution)
        if self.model is not None and self.token is None:
            values["token"] = _nulls(TokenRates)
        return {name: values[name] for name in _names(RunSummary) if name in values}


def _names(record: type[Any]) -> list[str]:
    """Return the names of the fields of a record of a report."""
    return [field.name for field in fields(record)]


def _nulls(record: type[Any]) -> dict[str, None]:
    """Return a report's keys of a record, without values."""
    return dict.fromkeys(_names(record))
