"""A scenario: everything that decides a run, from a TOML file or the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from specs.errors import SpecError
from specs.model import model_names
from specs.validation import Spec, build, read_mapping

# Keys that may name a file, and how such a name ends.
FILE_SUFFIXES = {
    "model": (".json",),
    "workload": (".toml", ".json"),
    "machine": (".toml",),
    "topology": (".csv", ".graphml"),
    "faults": (".toml",),
    "strategy": (".csv",),
}


# What only a model has.
OF_MODELS = (
    *("model", "objective", "sequences", "placement"),
    *("context", "prompt", "prefill_chunk", "context_bucket"),
)


def of_models_only(name: str) -> str:
    """Return the fault that a key was given beside a workload."""
    if name == "model":
        return "model and workload are both given; leave one out"
    return f"{name} is of a model, and a workload has none; leave it out"


class Scenario(Spec):
    """What to run, on what, how often, and from which seed.

    Parameters
    ----------
    model, machine
        Shipped name or path of each.
    workload
        What to run in place of a model: ``gemm:MxKxN``, ``lstm:HIDDEN``, a shipped name
        or path. It takes one chip and the best split, unless others are given.
    chips
        Chips asked for; the machine may have more, the first ones are used.
    topology
        ``auto``, a kind of wiring, or a file of links.
    strategy
        How the model is split, such as ``tensor=8,pipeline=72``; ``auto`` for the best
        there is; or a plan as CSV.
    objective
        What ``auto`` seeks: the fastest token, the most tokens per second, the fewest
        chips, or the least energy for each token.
    placement
        Which chips hold what: those of the machine in order (``naive``), or whichever
        are near to each other if that makes a token faster (``auto``).
    tokens
        Tokens to decode for each sequence.
    context
        Positions in the KV cache that every token attends to; with a prompt, what the
        cache must hold in the end.
    prompt
        Positions of the prompt that goes before the tokens; 0 for none.
    prefill_chunk
        Positions of the prompt that are computed together; 0 for the fastest.
    context_bucket
        Positions of context that one program serves behind a prompt.
    batch
        Tokens decoded together as one.
    sequences
        Sequences in flight in the pipeline.
    engine
        What executes the programs: the reference, or its vectorised equal.
    seed
        Where all randomness comes from.
    faults
        Fault script: a TOML file of what breaks and when.
    settings
        Dotted paths of the machine, or of the model as ``model.layers``, and the values
        that replace its own.
    """

    model: str = "llama-2-70b"
    workload: str | None = None
    machine: str = "groqrack"
    chips: int = Field(default=576, ge=1)
    topology: str = "auto"
    strategy: str = "tensor=8,pipeline=72"
    objective: Literal["latency", "throughput", "chips", "energy"] = "latency"
    placement: Literal["naive", "auto"] = "naive"
    tokens: int = Field(default=8, ge=1)
    context: int = Field(default=4096, ge=1)
    prompt: int = Field(default=0, ge=0)
    prefill_chunk: int = Field(default=0, ge=0)
    context_bucket: int = Field(default=256, ge=1)
    batch: int = Field(default=1, ge=1)
    sequences: int = Field(default=1, ge=1)
    engine: Literal["simpy", "replay"] = "simpy"
    seed: int = Field(default=1, ge=0)
    faults: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _chips_of_a_workload(cls, content: Any) -> Any:
        if isinstance(content, dict) and content.get("workload") is not None:
            return {"chips": 1, "strategy": "auto", **content}
        return content

    @model_validator(mode="after")
    def _a_model_or_a_workload(self) -> Self:
        if self.workload is not None:
            for name in OF_MODELS:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(of_models_only(name))
        return self

    @model_validator(mode="after")
    def _the_cache_holds_prompt_and_tokens(self) -> Self:
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
    """Return the scenario that keys and values describe.

    Tables such as ``[link]`` with ``ber = 1e-9`` become settings ``link.ber``.

    Raises
    ------
    SpecError
        If a key is unknown or a value out of range.
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
    """Return the scenario of a TOML file.

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
    return scenario(seen_from(Path(path).parent, content), str(path))


def seen_from(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return content of a file in `folder` with the files that it names found there."""
    return {
        key: str(folder / value)
        if isinstance(value, str) and _names_a_file(key, value, folder)
        else value
        for key, value in content.items()
    }


def _names_a_file(key: str, value: str, folder: Path) -> bool:
    # A fault script may be called anything, and a model by its folder.
    if key == "faults" or Path(value).suffix.lower() in FILE_SUFFIXES.get(key, ()):
        return True
    if key != "model" or value in model_names():
        return False
    return (folder / value / "config.json").is_file()
