"""Kinds of input: well-formed files, words that lead deep, and commands that read them.

Each case begins from a file that the program takes, so that a single mutation meets the
checks behind the reader.
"""

import json
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.fuzz.mutation import Words
from tests.fuzz.rendering import Render, as_csv, as_graphml, as_json, as_onnx, as_toml

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 128,
}
SCENARIO: dict[str, Any] = {
    "model": "config.json",
    "chips": 4,
    "strategy": "tensor=2,pipeline=2",
    "tokens": 1,
    "context": 32,
    "engine": "replay",
}
FAULTS: dict[str, Any] = {
    "fault": [
        {"kind": "link-ber", "at_us": 0, "until_us": 300, "link": 1, "ber": 1e-5},
        {"kind": "link-dies", "at_us": 5, "link": 3},
        {"kind": "chip-stops", "at_us": 2.5, "chip": 1},
    ]
}
TRAFFIC: dict[str, Any] = {
    **SCENARIO,
    "frame": {"slots": 4, "windows": 2, "chunk_tokens": 8},
    "traffic": {
        "rate_per_s": 150,
        "requests": 20,
        "prompt": {"kind": "lognormal", "median": 8, "sigma": 0.9, "max": 15},
        "output": {"kind": "constant", "tokens": 5},
    },
}
for _key in ("tokens", "engine"):
    del TRAFFIC[_key]
WORKLOAD: dict[str, Any] = {
    "name": "layer",
    "tensors": [
        {"name": "x", "role": "input", "rows": 16, "columns": 64},
        {"name": "w", "role": "weights", "rows": 64, "columns": 96},
        {"name": "y", "role": "activation", "rows": 16, "columns": 96},
        {"name": "z", "role": "output", "rows": 16, "columns": 96},
    ],
    "operators": [
        {"kind": "matmul", "name": "p", "left": "x", "right": "w", "output": "y"},
        {
            "kind": "vector",
            "name": "act",
            "function": "silu",
            "inputs": ["y"],
            "outputs": ["z"],
        },
    ],
}
SMALL = ("--chips", "4", "--strategy", "tensor=2,pipeline=2", "--context", "32")
RUN = ("--tokens", "1", "--engine", "replay")
GEMM = ("simulate", "--workload", "gemm:64x64x64", "--tokens", "1")


class Kind(NamedTuple):
    """A kind of input.

    Attributes
    ----------
    name
        What a case of it is called.
    file
        Name of the file.
    trees
        Contents of well-formed files.
    render
        Makes bytes of a tree.
    commands
        Commands that read the file, each a cheap one.
    words
        Values that mean something, by key.
    kept
        Keys without which the program takes a large model, which takes long.
    """

    name: str
    file: str
    trees: tuple[Any, ...]
    render: Render
    commands: tuple[tuple[str, ...], ...]
    words: Words = MappingProxyType({})
    kept: tuple[str, ...] = ()


def _scenario_words() -> dict[str, tuple[Any, ...]]:
    return {
        "model": ("gpt2", "folder", "graph.json", "bert-base"),
        "workload": (
            "layer.toml",
            "gemm:64x64x64",
            "lstm:64",
            "gemm:0x1x1",
            "model.onnx",
        ),
        "machine": ("groqnode", "groqcard", "lpx", "machine.toml", "groqrack"),
        "topology": (
            *(
                "node",
                "rack",
                "torus",
                "torus:2x2",
                "torus:1x4",
                "hypercube",
                "fat-tree",
            ),
            *("links.csv", "links.graphml", "dragonfly:random", "nodes33", "full-mesh"),
        ),
        "strategy": (
            *("auto", "tensor=1", "tensor=4", "pipeline=2", "data=2", "plan.csv"),
            *(
                "tensor=2,data=2",
                "expert=2",
                "tensor=2,pipeline=2,layout=2d",
                "tensor=0",
            ),
            *("column=2,row=2", "column=1,row=1", "attention=2,tensor=4"),
        ),
        "objective": ("latency", "throughput", "chips", "energy"),
        "placement": ("naive", "auto"),
        "tokens": (1, 2, 3, 10**9),
        "chips": (1, 2, 3, 4, 8, 9),
        "context": (1, 2, 16, 100, 128, 129, 10**8),
        "prompt": (1, 2, 8, 31, 10**8),
        "prefill_chunk": (1, 3, 1000),
        "context_bucket": (1, 2, 1000),
        "batch": (1, 2, 7, 10**6),
        "sequences": (1, 2, 3, 10**6),
        "seed": (0, 2**70),
        "faults": ("faults.toml", "config.json", "folder"),
        **{f"{key}": words for key, words in _machine_words().items()},
    }


@cache
def _machine_words() -> dict[str, tuple[Any, ...]]:
    """Return the settings of the machine, each as shipped, at zero, and far off."""
    with (ROOT / "specs/machines/groqrack.toml").open("rb") as file:
        content = tomllib.load(file)
    words: dict[str, tuple[Any, ...]] = {"spares": (0, 1, 8)}
    for table, values in content.items():
        if not isinstance(values, dict):
            continue
        for key, value in values.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            near = (0, 1, value // 2, 2 * value, 1000 * value) if number else ()
            words[f"{table}.{key}"] = (value, *near)
    words["clock.model"] = ("constant", "walk", "ideal")
    words["link.jitter"] = ("beta", "clipped", "gaussian")
    words["link.errors"] = ("independent", "bursts")
    words["link.ber"] = (0, 1e-12, 1e-6, 1e-3, 0.1, 0.49)
    words["fec.code"] = ("secded", "rs528", "rs544", "none")
    words["formats.weights"] = ("fp32", "bf16", "fp8", "int4", "mxfp4")
    words["failover.kv_cache"] = ("recompute", "mirrored")
    words["hac.tree"] = ("breadth_first", "least_error")
    words["deskew.interval_epochs"] = ("auto", 0, 1, 10**6)
    return words


def _machine_trees() -> tuple[Any, ...]:
    with (ROOT / "specs/machines/groqrack.toml").open("rb") as file:
        whole = tomllib.load(file)
    return (
        {"base": "groqrack", "link": {"ber": 1e-9}, "clock": {"drift_ppm": 10}},
        {"base": "lpx", "spares": 1, "chip": {"prefetch": False}},
        whole,
    )


_CUT = {
    "num_hidden_layers": 2,
    "n_layer": 2,
    "hidden_size": 64,
    "n_embd": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 32,
    "num_attention_heads": 4,
    "n_head": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 256,
    "max_position_embeddings": 128,
    "num_local_experts": 4,
    "n_routed_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "full_attention_interval": 2,
}


def _cut(config: Any) -> Any:
    """Return a published configuration with sizes that take no time."""
    if isinstance(config, dict):
        return {
            key: value[-2:]
            if key == "layer_types" and isinstance(value, list)
            else _CUT.get(key, _cut(value))
            for key, value in config.items()
        }
    return config


def _config_trees() -> tuple[Any, ...]:
    published = sorted((ROOT / "specs/models").glob("*.json"))
    return (CONFIG, *(_cut(json.loads(path.read_text())) for path in published))


def _config_words() -> dict[str, tuple[Any, ...]]:
    """Return the keys of all published configurations with the values they have."""
    words: dict[str, list[Any]] = {}
    for tree in _config_trees():
        for key, value in tree.items():
            known = words.setdefault(key, [])
            if value not in known:
                known.append(value)
    return {key: tuple(values) for key, values in words.items()}


def _links(columns: int = 6) -> list[list[Any]]:
    head = ["source", "target", "level", "length_m", "source_port", "target_port"]
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    rows = [[a, b, "local", 0.75, b - 1, a] for a, b in pairs]
    return [head[:columns], *(row[:columns] for row in rows)]


def _graph() -> dict[str, Any]:
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    return {
        "edgedefault": "undirected",
        "keys": [
            {"id": "d0", "for": "edge", "attr.name": "length_m", "attr.type": "double"},
            {"id": "d1", "for": "edge", "attr.name": "level", "attr.type": "string"},
            {"id": "d2", "for": "node", "attr.name": "node", "attr.type": "long"},
        ],
        "nodes": [{"id": str(n), "data": {"d2": n // 2}} for n in range(4)],
        "edges": [
            {"source": str(a), "target": str(b), "data": {"d0": 1.5, "d1": "local"}}
            for a, b in pairs
        ],
    }


def _onnx_trees() -> tuple[Any, ...]:
    from google.protobuf import json_format
    from onnx import TensorProto, helper

    def value(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def weights(name: str, *shape: int) -> Any:
        size = 1
        for each in shape:
            size *= each
        return helper.make_tensor(name, TensorProto.FLOAT, shape, [0.5] * size)

    node = helper.make_node
    graphs = [
        (
            [
                node("Gemm", ["x", "w", "b"], ["h"], transB=1),
                node("Relu", ["h"], ["r"]),
                node("Softmax", ["r"], ["y"], axis=-1),
            ],
            [value("x", "batch", 8)],
            [value("y", "batch", 4)],
            [weights("w", 4, 8), weights("b", 4)],
        ),
        (
            [
                node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
                node("MaxPool", ["c"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
                node("Flatten", ["m"], ["f"]),
                node("MatMul", ["f", "v"], ["p"]),
                node("LayerNormalization", ["p", "s"], ["y"], axis=-1),
            ],
            [value("x", "batch", 2, 4, 4)],
            [value("y", "batch", 4)],
            [weights("w", 3, 2, 3, 3), weights("v", 12, 4), weights("s", 4)],
        ),
        (
            [
                node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
                node("MatMul", ["x", "t"], ["p"]),
                node("ReduceMean", ["p"], ["m"], keepdims=1),
                node("Sub", ["p", "m"], ["y"]),
            ],
            [value("x", "batch", 4, 8)],
            [value("y", "batch", 4, 4)],
            [],
        ),
    ]
    trees = []
    for nodes, inputs, outputs, constants in graphs:
        graph = helper.make_graph(nodes, "graph", inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        trees.append(json_format.MessageToDict(model))
    return tuple(trees)


def _option_words() -> dict[str, tuple[Any, ...]]:
    """Return values of the options of simulate, those of a scenario among them."""
    settings = [
        f"{key}={value}" for key, values in _machine_words().items() for value in values
    ]
    odd = ("link.ber=1e-6,1e-5", "strategy=tensor=2;auto", "x", "=", "a=b=c")
    places = ("out", "config.json", "folder", "pipe", "/dev/full", "link", "a/b/c")
    return {
        key: values for key, values in _scenario_words().items() if "." not in key
    } | {
        "set": (*settings, *odd, "model.layers=0"),
        "trace-chips": ("0-1", "1-0", "0-10**9", "-1-2", f"0-{10**20}"),
        "trace-us": ("0-inf", "nan-1", "5-4", "1e400-2", "-5-inf"),
        "out": places,
    }


def as_words(tree: Any) -> bytes:
    """Return options as the command line has them, one a line."""
    table = tree if isinstance(tree, dict) else {}
    lines = []
    for key, value in table.items():
        for each in value if isinstance(value, list) else [value]:
            text = str(each).replace("\n", " ")
            lines += [f"--{key}={text}".replace("\x00", "")]
    return "\n".join(lines).encode("utf-8", "replace")


def kinds() -> dict[str, Kind]:
    """Return every kind of input by its name."""
    model = ("--model", "{file}")
    sweep = SCENARIO | {"sweep": {"chips": [4, 8], "seed": [1, 2]}}
    zipped = SCENARIO | {
        "sweep": {
            "strategy": ["tensor=2", "tensor=4"],
            "chips": [2, 4],
            "zip": [["strategy", "chips"]],
        }
    }
    fault = ("--faults", "{file}", "--tokens", "3")
    graph = ("--topology", "{file}")
    listed = (
        Kind(
            "config",
            "config.json",
            _config_trees(),
            as_json,
            (
                ("plan", *model, *SMALL, "--out", "out.csv"),
                (
                    "plan",
                    *model,
                    "--chips",
                    "2",
                    "--strategy",
                    "auto",
                    "--context",
                    "16",
                ),
                ("models", "{file}"),
                ("verify", *model, *SMALL),
                ("simulate", *model, *SMALL, *RUN),
                ("workload", "{file}", "--context", "16", "--out", "graph-out.json"),
            ),
            _config_words(),
        ),
        Kind(
            "machine",
            "given.toml",
            _machine_trees(),
            as_toml,
            (
                ("topology", "--machine", "{file}"),
                (*GEMM, "--machine", "{file}", "--chips", "2", "--engine", "replay"),
                ("plan", "--model", "config.json", *SMALL, "--machine", "{file}"),
                (
                    *("collective", "all-reduce", "--bytes", "640", "--chips", "4"),
                    *("--engine", "replay", "--machine", "{file}"),
                ),
                (
                    "simulate",
                    "--model",
                    "config.json",
                    *SMALL,
                    *RUN,
                    "--machine",
                    "{file}",
                ),
            ),
            _machine_words(),
        ),
        Kind(
            "scenario",
            "given.toml",
            (SCENARIO, {"workload": "layer.toml", "chips": 2, "tokens": 1}),
            as_toml,
            (
                ("simulate", "{file}"),
                ("plan", "{file}"),
                ("verify", "{file}"),
                ("simulate", "{file}", "--engine", "simpy"),
            ),
            _scenario_words(),
        ),
        Kind(
            "sweep",
            "given.toml",
            (sweep, zipped),
            as_toml,
            (("sweep", "{file}", "--jobs", "1", "--out", "out"),),
            _scenario_words()
            | {
                "sweep.seed": (
                    [1],
                    list(range(3)),
                    {"start": 0, "stop": 9},
                    [],
                    [1, 1],
                ),
                "sweep.link.ber": ([0, 1e-9], ["a"], [0.6]),
                "sweep.model": (["config.json"], ["gpt-9"]),
                "sweep.zip": ([], [["seed"]], [["a", "b"]], [[]], 5),
                "sweep.context": ([16, 10**8], [1.5], [True]),
            },
        ),
        Kind(
            "fault",
            "given.toml",
            (FAULTS,),
            as_toml,
            (
                (
                    "simulate",
                    "--model",
                    "config.json",
                    *SMALL,
                    "--engine",
                    "replay",
                    *fault,
                ),
                (
                    "simulate",
                    "--model",
                    "config.json",
                    *SMALL,
                    "--engine",
                    "simpy",
                    *fault,
                ),
                (*GEMM, "--chips", "2", "--engine", "replay", "--faults", "{file}"),
            ),
            {
                "kind": ("link-dies", "link-ber", "chip-stops"),
                "at_us": (0, 1, 10.5, 1e6, 1e300, 1e-320),
                "until_us": (1, 11, 1e300),
                "link": (0, 1, 55, 56, 10**14),
                "chip": (0, 3, 7, 8, 10**14),
                "ber": (0, 1e-9, 1e-3, 0.3, 0.5),
            },
        ),
        Kind(
            "plan",
            "given.csv",
            (),
            as_csv,
            (
                (
                    "plan",
                    "--model",
                    "config.json",
                    "--strategy",
                    "{file}",
                    "--context",
                    "32",
                ),
                (
                    *("verify", "--model", "config.json", "--strategy", "{file}"),
                    *("--context", "32", "--chips", "4"),
                ),
            ),
        ),
        Kind(
            "links",
            "given.csv",
            (_links(), _links(2), _links(4)),
            as_csv,
            (
                ("topology", *graph),
                (*GEMM, *graph, "--chips", "2", "--engine", "replay"),
                (
                    "collective",
                    "all-reduce",
                    "--bytes",
                    "640",
                    "--engine",
                    "replay",
                    *graph,
                ),
            ),
        ),
        Kind(
            "graphml",
            "given.graphml",
            (_graph(),),
            as_graphml,
            (
                ("topology", *graph),
                (*GEMM, *graph, "--chips", "2", "--engine", "replay"),
            ),
        ),
        Kind(
            "workload",
            "given.toml",
            (WORKLOAD,),
            as_toml,
            (
                ("workload", "{file}", "--out", "graph-out.json"),
                ("simulate", "--workload", "{file}", "--chips", "2", *RUN),
                ("execute", "--workload", "{file}", "--chips", "2"),
            ),
            {
                "rows": (1, 16, 0, 10**12),
                "columns": (1, 64, 96, 10**12),
                "role": ("input", "weights", "activation", "output", "state"),
                "kind": ("matmul", "vector", "exchange", "opaque", "gather"),
                "function": ("silu", "add", "softmax", "rms_norm", "gelu", "tanh"),
                "inputs": (["x"], ["y", "y"], ["w"], []),
                "left": ("x", "w", "y", "z"),
                "output": ("y", "z", "x"),
            },
        ),
        Kind(
            "graph",
            "given.json",
            (),
            as_json,
            (
                ("plan", *model, *SMALL),
                ("verify", *model, *SMALL),
                ("workload", "{file}"),
            ),
        ),
        Kind(
            "onnx",
            "given.onnx",
            _onnx_trees(),
            as_onnx,
            (
                ("workload", "{file}:batch=2"),
                ("simulate", "--workload", "{file}:batch=2", "--chips", "2", *RUN),
                ("execute", "--workload", "{file}:batch=2"),
            ),
            {
                "opType": (
                    "MatMul",
                    "Add",
                    "Reshape",
                    "Gather",
                    "LSTM",
                    "Concat",
                    "Cast",
                ),
                "dimValue": ("0", "1", "-1", "1000000000000"),
                "dataType": (1, 7, 10, 16, 99),
                "i": ("0", "-1", "100"),
            },
        ),
        Kind(
            "traffic",
            "given.toml",
            (TRAFFIC,),
            as_toml,
            (
                ("traffic", "{file}"),
                ("traffic", "{file}", "--engine", "simpy"),
                ("cost", "--traffic", "{file}"),
            ),
            {
                "slots": (1, 2, 12, 10**9),
                "windows": (0, 1, 2, 10**9),
                "chunk_tokens": (1, 8, 10**9),
                "policy": ("windows", "slots", "alternate", "apart"),
                "pace": ("token", "chunk"),
                "in_flight": (True, False),
                "requests": (0, 1, 20, 10**9),
                "rate_per_s": (0, 1e-9, 150, 1e12),
                "traffic.arrivals": ("poisson", "gamma", "closed", "constant", "burst"),
                "traffic.burstiness": (0, 0.1, 1e-9, 1e9),
                "traffic.max_concurrency": (0, 1, 10**9),
                "prompt": ({"kind": "constant", "tokens": 8}, {"kind": "histogram"}, 8),
                "sigma": (0, 9, 1e9),
                "slo.ttft_ms": (0, 1, 1e300),
                "limits.rpm": (0, 1, 10**15),
                "cache.sram_tokens": (1, 100, 10**15),
                "speculation.drafted_tokens": (1, 4, 10**9),
                "speculation.acceptance": (0, 0.5, 1),
                "outage": ([{"at_s": 0, "duration_ms": 5}],),
                "replicas": (1, 2, 10**9),
                "sequences": (1, 4),
                "faults": ("faults.toml",),
            },
            ("model", "chips"),
        ),
        Kind(
            "options",
            "given.txt",
            (
                {k: v for k, v in SCENARIO.items() if k != "seed"},
                {
                    "workload": "layer.toml",
                    "chips": 2,
                    "tokens": 1,
                    "set": ["link.ber=1e-9"],
                },
            ),
            as_words,
            (("simulate", "{words}"),),
            _option_words(),
        ),
    )
    return {kind.name: kind for kind in listed}


def companions(folder: Path, written: Callable[[str, bytes], object]) -> None:
    """Write the files that others name into a folder: models, machines, links."""
    written("config.json", as_json(CONFIG))
    written("layer.toml", as_toml(WORKLOAD))
    written("faults.toml", as_toml(FAULTS))
    written("machine.toml", as_toml({"base": "groqrack", "link": {"ber": 1e-9}}))
    written("links.csv", as_csv(_links(2)))
    written("links.graphml", as_graphml(_graph()))
    (folder / "folder").mkdir()
    (folder / "link").symlink_to("layer.toml")
