"""Scenario options: what the command line says of a scenario, as one value.

A command that takes them is decorated with `takes_scenario`, so that each field is an
option of the command line.
"""

import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, final, get_type_hints

from experiments.cli.options import (
    Batch,
    Chips,
    Context,
    ContextBucket,
    Engine,
    Faults,
    Machine,
    Model,
    ObjectiveText,
    PlacementText,
    PrefillChunk,
    Prompt,
    ScenarioFile,
    Seed,
    Sequences,
    Settings,
    StrategyText,
    Tokens,
    TopologyKind,
    WorkloadName,
)

if TYPE_CHECKING:
    from specs.scenario import Scenario

# Fields that are no keys of a scenario.
_ABOUT_FILES = ("scenario_file", "settings")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioOptions:
    """What the command line says of a scenario; what is None was not said.

    Fields are in the order of the help text. `settings` holds pairs ``KEY=VALUE``;
    every other field but `scenario_file` is a key of `specs.scenario.Scenario`.
    """

    scenario_file: ScenarioFile = None
    model: Model = None
    workload: WorkloadName = None
    machine: Machine = None
    chips: Chips = None
    topology: TopologyKind = None
    strategy: StrategyText = None
    objective: ObjectiveText = None
    placement: PlacementText = None
    tokens: Tokens = None
    context: Context = None
    prompt: Prompt = None
    prefill_chunk: PrefillChunk = None
    context_bucket: ContextBucket = None
    batch: Batch = None
    sequences: Sequences = None
    seed: Seed = None
    engine: Engine = None
    faults: Faults = None
    settings: Settings = None

    @property
    def given(self) -> dict[str, Any]:
        """Return the keys of the scenario that were given, without settings."""
        return {
            name: value
            for name, value in asdict(self).items()
            if value is not None and name not in _ABOUT_FILES
        }


def takes_scenario(
    *left_out: str,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command a CLI option for each scenario option.

    The command receives them as its first argument, a `ScenarioOptions`; its own
    options come after them.

    Parameters
    ----------
    left_out
        Fields of which the command has no option.
    """
    hints = get_type_hints(ScenarioOptions, include_extras=True)
    names = [f.name for f in fields(ScenarioOptions) if f.name not in left_out]
    shared = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None,
            annotation=hints[name],
        )
        for name in names
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command).parameters.values()

        @wraps(command)
        def typed(**given: Any) -> None:
            options = ScenarioOptions(**{name: given.pop(name) for name in names})
            command(options, **given)

        parameters = [*shared, *own]
        # Typer reads the options of a command from its signature and annotations.
        typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        typed.__annotations__ = {p.name: p.annotation for p in parameters}
        return typed

    return decorate


def scenario_from(options: ScenarioOptions) -> "Scenario":
    """Return the scenario of a file, overridden by the options of the command line.

    Raises
    ------
    SpecError
        If a key is unknown or a value cannot be meant.
    """
    from experiments.run.scenario_inputs import scenario_of
    from specs.errors import SpecError

    fixed, swept = parse_settings(options.settings)
    for key, values in swept.items():
        raise SpecError(
            f"--set {key}={','.join(values)}: one value at a time here, as in "
            f"{key}={values[0]}; groqrack simulate and groqrack sweep take several"
        )
    content = content_from(options, fixed)
    objective = options.objective or "latency"
    if objective != "latency" and content.get("strategy") != "auto":
        raise SpecError(
            f"--objective {objective} says what a search seeks; add --strategy auto"
        )
    return scenario_of(content, "command line")


def content_from(options: ScenarioOptions, settings: dict[str, str]) -> dict[str, Any]:
    """Return what a file and the command line say, before defaults are filled in.

    Parameters
    ----------
    options
        Its own settings are not read.
    settings
        Values by key.
    """
    from specs.scenario import load_scenario

    path = options.scenario_file
    base = load_scenario(path).model_dump(exclude_unset=True) if path else {}
    merged = {**base, **options.given}
    merged["settings"] = {**base.get("settings", {}), **settings}
    return merged


def parse_settings(
    pairs: list[str] | None,
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Parse ``--set`` options of a command into settings of one value and of several.

    Raises
    ------
    SpecError
        If a pair is not ``KEY=VALUE`` or ``KEY=A,B,C``, or a key of several values is
        given twice.
    """
    from specs.errors import SpecError

    fixed: dict[str, str] = {}
    swept: dict[str, list[str]] = {}
    for pair in pairs or []:
        key, equals, value = (piece.strip() for piece in pair.partition("="))
        if not equals or not key or not value:
            raise SpecError(f"--set {pair}: write KEY=VALUE, as in link.ber=1e-9")
        if key in swept or ("," in value and key in fixed):
            raise SpecError(f"--set {pair}: {key} is given twice; put all in one list")
        if "," in value:
            swept[key] = [each.strip() for each in value.split(",")]
        else:
            fixed[key] = value
    return fixed, swept
