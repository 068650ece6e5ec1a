"""Command ``groqrack serve``."""

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.scenario_options import (
    ScenarioOptions,
    scenario_from,
    takes_scenario,
)

if TYPE_CHECKING:
    from experiments.service.served_model import FrameOptions
    from serving.endpoint.deployment import Deployment
    from specs.scenario import Scenario

# What the extra `serve` brings.
_NEEDED = ("starlette", "uvicorn")
# Positions of a block of the prefix cache; two hours without use, and it is gone.
_CACHE_BLOCK, _CACHE_EXPIRY_S = 64, 7200
# Seconds for the last lines of the log.
_LOG_S = 5.0


@takes_scenario(
    *("workload", "objective", "tokens", "prompt", "prefill_chunk"),
    *("context_bucket", "batch", "engine", "faults"),
)
def serve_command(
    options: ScenarioOptions,
    port: Annotated[
        int, typer.Option(help="Port on 127.0.0.1; 0 for any that is free.")
    ] = 8000,
    clock: Annotated[
        str,
        typer.Option(help="wall, scaled (slower by --time-scale), or instant."),
    ] = "wall",
    time_scale: Annotated[
        float, typer.Option(help="Seconds for a simulated second, --clock scaled.")
    ] = 1.0,
    windows: Annotated[int, typer.Option(help="Prompt windows in a frame.")] = 4,
    chunk: Annotated[int, typer.Option(help="Positions of a prompt in a window.")] = 16,
    policy: Annotated[
        str, typer.Option(help="How prompts share the pipeline: windows or slots.")
    ] = "windows",
    pace: Annotated[
        str, typer.Option(help="Whose pace stages keep with windows: token or chunk.")
    ] = "token",
    served_model_name: Annotated[
        list[str] | None, typer.Option(help="Another name of the model; repeatable.")
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            help="Scenario TOML of another model on chips of its own; repeatable."
        ),
    ] = None,
    cache_sram: Annotated[
        int, typer.Option(help="Positions of prompts that the chips keep.")
    ] = 0,
    cache_host: Annotated[
        int, typer.Option(help="Positions of prompts that the hosts keep.")
    ] = 0,
    answer_tokens: Annotated[
        int, typer.Option(help="Tokens of an answer whose request sets no limit.")
    ] = 128,
    limits: Annotated[
        str | None, typer.Option(help="Limits of each key: rpm=30,rpd=14400,tpm=6000.")
    ] = None,
    inject: Annotated[
        list[str] | None,
        typer.Option(
            help="Fault with its probability: rate_limit=0.05, capacity, overload, "
            "server_error, disconnect."
        ),
    ] = None,
    inject_script: Annotated[
        Path | None, typer.Option(help="TOML of faults by the number of the request.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(help="Key that requests must have; any without.")
    ] = None,
    max_waiting: Annotated[
        int, typer.Option(help="Requests of a model that may wait for a slot.")
    ] = 1000,
    drain_s: Annotated[
        float, typer.Option(help="Seconds that answers have to end in after SIGTERM.")
    ] = 5.0,
) -> None:
    """Serve simulated models to clients of OpenAI and Groq, on this computer only."""
    from specs.errors import SpecError

    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise SpecError(
                f"groqrack serve needs {name}, which is not installed; install the "
                f"extra serve: pip install 'groqrack-fabric[serve]'"
            )
    from experiments.service.served_model import FrameOptions
    from serving.endpoint.endpoint import Endpoint
    from serving.endpoint.fault_injection import parse_faults, read_fault_script
    from serving.endpoint.rate_limits import parse_limits
    from serving.endpoint.request_log import log_to_stderr
    from serving.endpoint.server import listening_socket, serve
    from serving.endpoint.settings import EndpointSettings, make_clock
    from serving.fleet.limits import Limits
    from specs.scenario import load_scenario
    from specs.validation import build

    scenario = scenario_from(options)
    given = {
        "clock": clock,
        "time_scale": time_scale,
        "seed": scenario.seed,
        "answer_tokens": answer_tokens,
        "limits": parse_limits(limits) if limits else Limits(),
        "faults": parse_faults(inject or []),
        "script": read_fault_script(inject_script) if inject_script else {},
        "api_key": api_key,
        "most_waiting": max_waiting,
        "drain_s": drain_s,
    }
    settings = build(EndpointSettings, given, "serve")
    # Refuse what cannot be before models are compiled, which takes a while.
    make_clock(settings)
    others = [load_scenario(path) for path in also or []]
    check_partition([scenario, *others])
    for name, positions in (("sram", cache_sram), ("host", cache_host)):
        if positions < 0:
            raise SpecError(f"--cache-{name} {positions} is below 0; use 0 for none")
    frame = FrameOptions(windows, chunk, policy, pace)
    with listening_socket(port) as listening:
        deployments = [
            _deployment(each, frame, names, max_waiting, (cache_sram, cache_host))
            for each, names in zip(
                [scenario, *others],
                [served_model_name or [], *([] for _ in others)],
                strict=True,
            )
        ]
        log = log_to_stderr()
        serve(Endpoint(deployments, settings), listening)
    log.finish(_LOG_S)


def _deployment(
    scenario: "Scenario",
    frame: "FrameOptions",
    names: list[str],
    most_waiting: int,
    cached: tuple[int, int],
) -> "Deployment":
    """Return the deployment of a scenario's model, and tell what it is."""
    from experiments.run.scenario_inputs import model_of
    from experiments.service.served_model import served_timetable
    from serving.endpoint.deployment import Deployment
    from serving.fleet.fleet import CacheSizes

    name = model_of(scenario).name
    print(f"compiling {name} on {scenario.chips} chips", file=sys.stderr, flush=True)
    timetable = served_timetable(scenario, frame, cached[0])
    times = timetable.frame_times
    token_us = times.frame_cycles / timetable.times.clock_hz * 1e6
    print(
        f"{name}: {times.slots} slots and {times.windows} prompt windows in a frame of "
        f"{token_us:,.3f} us, which is the time per token",
        file=sys.stderr,
        flush=True,
    )
    expiry_cycles = _CACHE_EXPIRY_S * timetable.times.clock_hz
    sizes = CacheSizes(_CACHE_BLOCK, *cached, expiry_cycles)
    return Deployment(
        [name, *names],
        timetable,
        most_waiting=most_waiting,
        cache=sizes if any(cached) else None,
    )


def check_partition(scenarios: list["Scenario"]) -> None:
    """Refuse models that do not find room on one machine, each on chips of its own.

    Raises
    ------
    SpecError
        If the machines or topologies differ.
    TopologyError
        If the machine does not have the chips of all.
    """
    from experiments.run.scenario_inputs import machine_of, topology_of
    from specs.errors import SpecError

    first = scenarios[0]
    for other in scenarios[1:]:
        for name in ("machine", "topology"):
            ours, theirs = getattr(first, name), getattr(other, name)
            if ours != theirs:
                raise SpecError(
                    f"{first.model} has {name} {ours} and {other.model} {theirs}; "
                    f"models that are served together share one machine"
                )
    if len(scenarios) > 1:
        chips = sum(scenario.chips for scenario in scenarios)
        together = first.model_copy(update={"chips": chips})
        topology_of(together, machine_of(first))
