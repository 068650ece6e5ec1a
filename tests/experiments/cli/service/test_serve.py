import importlib.util
import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.service.serve import check_partition
from serving.client import InProcessEndpoint
from serving.endpoint import server
from serving.endpoint.endpoint import Endpoint
from serving.fleet.limits import Limits
from specs.errors import SpecError, TopologyError
from specs.scenario import Scenario

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def machine(tiny_config: Path) -> list[str]:
    split = ["--chips=24", "--strategy=tensor=5,pipeline=4", "--context=64"]
    return [f"--model={tiny_config}", *split]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Endpoint]:
    """Return the endpoints that commands would serve."""
    endpoints: list[Endpoint] = []

    def keep(endpoint: Endpoint, listening: socket.socket) -> None:
        listening.close()
        endpoints.append(endpoint)

    monkeypatch.setattr(server, "serve", keep)
    return endpoints


def test_the_times_that_are_served_are_those_of_the_compiled_program(
    groqrack: Groqrack, served: list[Endpoint], machine: list[str]
) -> None:
    names = ["--served-model-name=llama-3.1-8b-instant"]
    options = ["--clock=instant", "--port=0", "--limits=tpm=5000", "--seed=4"]
    done = groqrack("serve", *machine, *options, *names, "--cache-host=64")
    assert done.returncode == 0, done.stderr
    (endpoint,) = served
    assert endpoint.settings.limits == Limits(tpm=5000)
    assert endpoint.settings.seed == 4
    (deployment,) = endpoint.deployments
    assert deployment.names[1] == "llama-3.1-8b-instant"
    # A slot for each stage, unless the command says how many.
    assert deployment.slots == 4
    timetable = deployment.timetable
    token_us = timetable.frame_times.frame_cycles / timetable.times.clock_hz * 1e6
    assert (
        f"4 slots and 4 prompt windows in a frame of {token_us:,.3f} us" in done.stderr
    )
    with InProcessEndpoint(endpoint) as here:
        usage: Any = (
            here.openai()
            .completions.create(model="llama-3.1-8b-instant", prompt="a", max_tokens=21)
            .usage
        )
    # From the second to the last token 19 frames pass, and at most two before.
    frames = usage.completion_time / (token_us * 1e-6)
    assert 19 < frames <= 21


def test_several_models_are_served_on_chips_of_their_own(
    groqrack: Groqrack,
    served: list[Endpoint],
    machine: list[str],
    tiny_config: Path,
    tmp_path: Path,
) -> None:
    config = json.loads(tiny_config.read_text("utf-8"))
    (tmp_path / "other.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    (tmp_path / "other.toml").write_text(
        'model = "other.json"\nchips = 16\nstrategy = "tensor=5,pipeline=2"\n'
        "context = 64\n"
    )
    also = f"--also={tmp_path / 'other.toml'}"
    done = groqrack("serve", *machine, "--port=0", "--sequences=3", also)
    assert done.returncode == 0, done.stderr
    (endpoint,) = served
    assert [deployment.slots for deployment in endpoint.deployments] == [3, 2]
    assert endpoint.deployment("other") is endpoint.deployments[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--clock=sundial"], "clock = 'sundial'"),
        (["--time-scale=10"], "--clock wall with --time-scale 10"),
        (["--limits=tpm"], "--limits tpm: write a number above 0"),
        (["--inject=rate_limit=2"], "write a probability from 0 to 1"),
        (["--inject-script=nowhere.toml"], "no file nowhere.toml"),
        (["--policy=turns"], "--policy turns: the future of a request"),
        (["--policy=alternate"], "with windows or slots only"),
        (["--cache-sram=-1"], "--cache-sram -1 is below 0; use 0 for none"),
        (["--cache-sram=9000000"], "9,000,000 positions in SRAM take"),
        (["--pace=walk"], "--pace walk is not known; use token or chunk"),
        (["--windows=0"], "--windows 0 serves no prompt"),
        (["--chunk=0"], "chunk_tokens must be > 0, got 0"),
        (["--model=llama-2-70b", "--strategy=tensor=8,pipeline=3"], "lacks"),
        (["--max-waiting=-1"], "most_waiting = -1"),
        (["--also=nowhere.toml"], "no file nowhere.toml"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(
    groqrack: Groqrack,
    served: list[Endpoint],
    machine: list[str],
    options: list[str],
    told: str,
) -> None:
    done = groqrack("serve", *machine, "--port=0", *options)
    assert done.returncode == 2
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("error")]
    assert told in line
    assert served == []


def test_a_port_that_is_taken_is_told_before_anything_is_compiled(
    groqrack: Groqrack, machine: list[str]
) -> None:
    with server.listening_socket(0) as listening:
        port = listening.getsockname()[1]
        done = groqrack("serve", *machine, f"--port={port}")
    assert done.returncode == 2
    assert f"--port {port}: 127.0.0.1:{port} cannot be listened on" in done.stderr
    assert "compiling" not in done.stderr


def test_the_extra_is_named_where_it_is_missing(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        assert name in {"starlette", "uvicorn"}

    monkeypatch.setattr(importlib.util, "find_spec", missing)
    done = groqrack("serve")
    assert done.returncode == 2
    assert done.stderr == (
        "error: groqrack serve needs starlette, which is not installed; install the "
        "extra serve: pip install 'groqrack-fabric[serve]'\n"
    )


def test_models_share_one_machine_that_holds_them_all() -> None:
    whole = Scenario(model="gpt2", machine="lpx", topology="lpx", chips=6000)
    check_partition([whole])
    with pytest.raises(TopologyError, match="12000 chips asked for"):
        check_partition([whole, whole])
    with pytest.raises(SpecError, match="has machine lpx and gpt2-xl groqrack"):
        check_partition([whole, Scenario(model="gpt2-xl")])
