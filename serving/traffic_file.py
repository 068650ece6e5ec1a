"""Traffic file: a model on a machine, its frame, and the requests that it serves."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from serving.fleet.fleet import Router
from serving.frame import Pace, Policy
from serving.requests.traffic_spec import TrafficSpec
from specs.errors import SpecError
from specs.pairing import PairingKind, PairingSpec, pairing_table
from specs.scenario import resolved_file_names
from specs.validation import Spec, build, read_mapping


class FrameSpec(Spec):
    """Frame of each replica.

    Parameters
    ----------
    slots, windows, chunk_tokens
        Decode slots, prompt windows, and positions of a window.
    policy
        How prompts share the pipeline: ``windows``, ``slots``, ``alternate`` or
        ``apart``. Groq's own way is unpublished.
    pace
        Whose pace the stages keep with windows: ``token`` or ``chunk``; the first,
        unless in_flight.
    in_flight
        Whether a frame is only as long as the contexts in flight need.
    """

    slots: int = Field(ge=1)
    windows: int = Field(default=1, ge=0)
    chunk_tokens: int = Field(default=64, ge=1)
    policy: Policy = Policy.WINDOWS
    pace: Pace | None = None
    in_flight: bool = False

    @model_validator(mode="before")
    @classmethod
    def _only_windows_have_windows(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("policy", "windows") != "windows":
            return {"windows": 0, **content}
        return content


class SloSpec(Spec):
    """Objectives in ms, 0 for none: first token, time per token, last token."""

    ttft_ms: float = Field(default=0, ge=0)
    tpot_ms: float = Field(default=0, ge=0)
    e2el_ms: float = Field(default=0, ge=0)


class LimitsSpec(Spec):
    """Limits of each tenant a minute and a day: requests, tokens; 0 for none."""

    rpm: int = Field(default=0, ge=0)
    rpd: int = Field(default=0, ge=0)
    tpm: int = Field(default=0, ge=0)
    tpd: int = Field(default=0, ge=0)
    itpm: int = Field(default=0, ge=0)
    otpm: int = Field(default=0, ge=0)


class CacheSpec(Spec):
    """Prefix cache of each replica: positions in SRAM and on the hosts, and expiry."""

    block_tokens: int = Field(default=512, ge=1)
    sram_tokens: int = Field(default=0, ge=0)
    host_tokens: int = Field(default=0, ge=0)
    expiry_s: float = Field(default=7200, gt=0)


class SpeculationSpec(Spec):
    """Speculative decoding: tokens drafted for a turn, and how likely each is kept."""

    drafted_tokens: int = Field(ge=1)
    acceptance: float = Field(ge=0, le=1)


class OutageSpec(Spec):
    """A replica that fails over: when, and for how long it is away."""

    replica: int = Field(default=0, ge=0)
    at_s: float = Field(ge=0)
    duration_ms: float = Field(gt=0)


class TransferSpec(Spec):
    """Link from the chips that compute prompts to those that decode."""

    gb_per_s: float = Field(gt=0)
    latency_us: float = Field(default=0, ge=0)


class TrafficFile(Spec):
    """What is served on what.

    Parameters
    ----------
    model, machine, chips, topology, strategy, settings
        As in a scenario; the chips are those of one replica.
    context
        Longest context of a sequence, prompt and answer together.
    context_bucket
        Positions of a context bucket; 0 for one bucket.
    replicas, router
        Replicas of the pipeline, and which of them a request goes to.
    seed
        Seed of all chance.
    frame
        Frame of each replica; searched if left out.
    traffic, slo, limits, cache, speculation, outages, transfer
        Requests, objectives, limits, prefix cache, speculative decoding, failovers,
        and the link of policy ``apart``.
    pairing
        Devices beside the machine, by name, or as a table that may begin ``like`` one;
        of kind ``prefill`` they have the prompts, whatever the frame's policy.
    flex_waiting
        Requests that may wait on a replica before those of the tier ``flex`` are
        refused.
    """

    model: str = "llama-2-70b"
    machine: str = "groqrack"
    chips: int = Field(default=576, ge=1)
    topology: str = "auto"
    strategy: str = "tensor=16,pipeline=36"
    settings: dict[str, Any] = Field(default_factory=dict)
    context: int = Field(default=4096, ge=2)
    context_bucket: int = Field(default=0, ge=0)
    replicas: int = Field(default=1, ge=1)
    router: Router = Router.ROUND_ROBIN
    seed: int = Field(default=1, ge=0)
    frame: FrameSpec | None = None
    traffic: TrafficSpec = TrafficSpec()
    slo: SloSpec = SloSpec()
    limits: LimitsSpec | None = None
    flex_waiting: int = Field(default=0, ge=0)
    cache: CacheSpec | None = None
    speculation: SpeculationSpec | None = None
    outages: tuple[OutageSpec, ...] = ()
    transfer: TransferSpec | None = None
    pairing: PairingSpec | None = None

    @field_validator("pairing", mode="before")
    @classmethod
    def _may_begin_like_a_shipped_one(cls, given: Any) -> Any:
        return pairing_table(given)

    @property
    def prompts_on_devices(self) -> bool:
        """Return whether the devices of a pairing have the prompts."""
        return self.pairing is not None and self.pairing.kind is PairingKind.PREFILL

    @model_validator(mode="after")
    def _has_what_its_parts_need(self) -> Self:
        if self.pairing is not None and self.pairing.kind is not PairingKind.NONE:
            self._check_pairing(self.pairing.kind)
        if self.frame is None:
            return self
        if self.prompts_on_devices:
            apart = {"policy": Policy.APART, "windows": 0}
            object.__setattr__(self, "frame", self.frame.model_copy(update=apart))
        elif (self.frame.policy is Policy.APART) != (self.transfer is not None):
            raise ValueError(
                "policy apart sends keys and values over [transfer]; give both or "
                "neither"
            )
        if self.frame.in_flight and self.speculation is not None:
            raise ValueError(
                "in_flight follows contexts token by token, and speculation gives "
                "several; leave one out"
            )
        return self

    def _check_pairing(self, kind: PairingKind) -> None:
        """Refuse what a pairing has no timetable for."""
        if kind is not PairingKind.PREFILL:
            raise ValueError(
                f"pairing.kind = {kind}: its steps wait for devices that vary, so "
                f"that requests have no timetable; use none or prefill here, and "
                f"python -m experiments.pairing for the rates of {kind}"
            )
        beside = ("limits", "cache", "speculation", "outages", "transfer")
        found = [name for name in beside if getattr(self, name)]
        found += ["replicas"] if self.replicas > 1 else []
        found += ["frame.in_flight"] if self.frame and self.frame.in_flight else []
        for name in ("max_concurrency", "flex_share"):
            found += [f"traffic.{name}"] if getattr(self.traffic, name) else []
        if found:
            raise ValueError(
                f"pairing.kind = prefill serves one replica in order of arrival; leave "
                f"out {', '.join(found)}"
            )
        if self.frame is None:
            raise ValueError("pairing.kind = prefill needs a [frame]; name its slots")


def traffic_file(content: Mapping[str, Any], origin: str) -> TrafficFile:
    """Return the traffic file of keys and values.

    Raises
    ------
    SpecError
        If a key is unknown or a value is out of range.
    """
    return build(TrafficFile, content, origin)


def load_traffic_file(path: str | Path) -> dict[str, Any]:
    """Return the keys and values of a traffic file, its file names resolved.

    Raises
    ------
    SpecError
        If it cannot be read.
    """
    file = Path(path)
    content = resolved_file_names(file.parent, read_mapping(file))
    traffic = content.get("traffic", {})
    if not isinstance(traffic, dict):
        raise SpecError(f"{path}: traffic must be a table, as in [traffic]")
    if isinstance(traffic.get("trace"), str):
        traffic = {**traffic, "trace": str(file.parent / traffic["trace"])}
    return {**content, "traffic": traffic} if "traffic" in content else content
