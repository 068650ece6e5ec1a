"""Scenario: all inputs that determine a run, from a TOML file or the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from specs.bounds import MOST_POSITIONS, MOST_SEQUENCES, MOST_TOKENS
from specs.errors import SpecError
from specs.model import model_names
from specs.onnx_names import split_sizes
from specs.validation import Spec, build, read_mapping

# Keys that may name a file, and the suffixes of such a name.
FILE_SUFFIXES = {
    "model": (".json",),
    "workload": (".toml", ".json", ".onnx"),
    "machine": (".toml",),
    "topology": (".csv", ".graphml"),
    "faults": (".toml",),
    "strategy": (".csv",),
}

# Keys that apply to a model only.
MODEL_KEYS = (
    *("model", "objective", "sequences", "placement"),
    *("context", "prompt", "prefill_chunk", "context_bucket"),
)


def model_key_fault(name: str) -> str:
    """Return the spec-error message for a key of models given beside a workload."""
    if name == "model":
        return "model and workload are both given; leave one out"
    return f"{name} is of a model, and a workload has none; leave it out"


class Scenario(Spec):
    """Inputs of a run: model or workload, machine, strategy, tokens and seed.

    Parameters
    ----------
    model, machine
        Shipped name or path of the model and of the machine.
    workload
        Workload in place of a model: ``gemm:MxKxN``, ``lstm:HIDDEN``, a shipped name or
        a path. Its default is one chip and the best strategy.
    chips
        Number of chips in use: the first ones of the machine.
    topology
        ``auto``, a name of :mod:`topologies.selection`, or a file of links.
    strategy
        Parallelism of the model, such as ``tensor=8,pipeline=72``; ``auto``, the best
        strategy; or a plan as CSV.
    objective
        Objective of ``auto``: the fastest token, the most tokens per second, the fewest
        chips, or the least energy per token.
    placement
        Assignment of shards to chips: in the order of the chips (``naive``), or to
        neighbouring chips if that makes a token faster (``auto``).
    tokens
        Tokens to decode per sequence.
    context
        Positions in the KV cache that every token attends to; with a prompt, the
        positions that the cache must hold at the end.
    prompt
        Positions of the prompt before the tokens; 0 for none.
    prefill_chunk
        Positions of the prompt that are computed together; 0 for the fastest choice.
    context_bucket
        Positions of context that one program serves after a prompt.
    batch
        Tokens decoded together as one.
    sequences
        Sequences in flight in the pipeline.
    engine
        Execution engine: the reference (``simpy``) or its vectorised equivalent
        (``replay``).
    seed
        Seed of all random numbers.
    faults
        Fault script: a TOML file of failures with their times.
    settings
        Values that replace those of the machine, by dotted path, or those of the model,
        as ``model.layers``.
    """

    unbounded: ClassVar[tuple[str, ...]] = ("seed",)

    model: str = "llama-2-70b"
    workload: str | None = None
    machine: str = "groqrack"
    chips: int = Field(default=576, ge=1)
    topology: str = "auto"
    strategy: str = "tensor=8,pipeline=72"
    objective: Literal["latency", "throughput", "chips", "energy"] = "latency"
    placement: Literal["naive", "auto"] = "naive"
    tokens: int = Field(default=8, ge=1, le=MOST_TOKENS)
    context: int = Field(default=4096, ge=1, le=MOST_POSITIONS)
    prompt: int = Field(default=0, ge=0, le=MOST_POSITIONS)
    prefill_chunk: int = Field(default=0, ge=0)
    context_bucket: int = Field(default=256, ge=1)
    batch: int = Field(default=1, ge=1, le=MOST_SEQUENCES)
    sequences: int = Field(default=1, ge=1, le=MOST_SEQUENCES)
    engine: Literal["simpy", "replay"] = "simpy"
    seed: int = Field(default=1, ge=0)
    faults: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_a_workload(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("workload") is not None:
            return {"chips": 1, "strategy": "auto", **content}
        return content

    @model_validator(mode="after")
    def _model_and_workload_exclude_each_other(self) -> Self:
        if self.workload is not None:
            for name in MODEL_KEYS:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(model_key_fault(name))
        return self

    @model_validator(mode="after")
    def _cache_holds_prompt_and_tokens(self) -> Self:
        if self.prompt and self.context < self.prompt + self.tokens:
            raise ValueError(
                f"context {self.context} does not hold a prompt of {self.prompt} and "
                f"{self.tokens} tokens; use --context {self.prompt + self.tokens}, or "
                f"leave it out"
            )
        if self.prefill_chunk and not self.prompt:
            raise ValueError(
                f"prefill_chunk {self.prefill_chunk} cuts a prompt and there is none; "
                f"add --prompt"
            )
        return self


def scenario(content: Mapping[str, Any], origin: str = "scenario") -> Scenario:
    """Return the scenario spec of a mapping of keys to values.

    Tables such as ``[link]`` with ``ber = 1e-9`` become settings ``link.ber``.

    Raises
    ------
    SpecError
        If a key is unknown or a value is out of range.
    """
    plain: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for key, value in content.items():
        if key == "settings" and isinstance(value, dict):
            settings.update(value)
        elif key == "spares":
            settings[key] = value
        elif isinstance(value, dict):
            settings.update({f"{key}.{inner}": each for inner, each in value.items()})
        else:
            plain[key] = value
    return build(Scenario, {"settings": settings, **plain}, origin)


def load_scenario(path: str | Path) -> Scenario:
    """Return the scenario spec of a TOML file.

    Raises
    ------
    SpecError
        If the file cannot be read, has a sweep table, or holds an unknown key.
    """
    content = read_mapping(Path(path))
    if "sweep" in content:
        raise SpecError(
            f"{path}: has a [sweep] table, which is several scenarios; "
            "use groqrack sweep, or remove it to run one"
        )
    return scenario(resolved_file_names(Path(path).parent, content), str(path))


def resolved_file_names(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a spec file in `folder`, with its file names resolved."""
    return {
        key: str(folder / value)
        if isinstance(value, str) and _names_a_file(key, value, folder)
        else value
        for key, value in content.items()
    }


def _names_a_file(key: str, value: str, folder: Path) -> bool:
    """Return whether the value of a spec's key is the name of a file."""
    # A fault script may have any name, and a model may be named by its folder.
    suffix = Path(split_sizes(value)[0]).suffix.lower()
    if key == "faults" or suffix in FILE_SUFFIXES.get(key, ()):
        return True
    if key != "model" or value in model_names():
        return False
    return (folder / value / "config.json").is_file()
