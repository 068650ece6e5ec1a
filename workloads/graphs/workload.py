"""Workload: the operator graph of one iteration, from Python, a file or a name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, final

from specs.errors import SpecError, nearest
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.graph_validation import graph_faults
from specs.input_files import is_there, shortened, shown
from specs.onnx_names import is_onnx, split_sizes
from specs.shipped_files import shipped_names, shipped_path
from specs.validation import build, read_mapping
from workloads.encoder_decoders.pass_graph import graph_of_pass
from workloads.graphs.presets import NAMED, named_graph
from workloads.onnx_files.onnx_graph import load_onnx

_OPERATORS: dict[str, type[Matmul] | type[Vector] | type[Lookup]] = {
    "matmul": Matmul,
    "vector": Vector,
    "lookup": Lookup,
}
_KEYS = ("name", "tensors", "operators")
FILE_SUFFIXES = (".toml", ".json")


@final
@dataclass(frozen=True)
class Workload:
    """Operator graph of one iteration.

    Parameters
    ----------
    name
        Name in reports.
    tensors
        Tensors that are read or made.
    operators
        Operators in the order of execution.

    Raises
    ------
    SpecError
        If the graph is invalid; the message names every fault.
    """

    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]

    def __post_init__(self) -> None:
        faults = list(dict.fromkeys(graph_faults(self.tensors, self.operators)))
        if faults:
            raise SpecError(f"{self.name}: {'; '.join(faults)}")

    @cached_property
    def by_name(self) -> Mapping[str, Tensor]:
        """The tensors by name."""
        return {tensor.name: tensor for tensor in self.tensors}

    def batched(self, batch: int) -> "Workload":
        """Return the workload for a batch of samples, which share the weights."""
        tensors = tuple(
            tensor
            if tensor.role is Role.WEIGHTS
            else tensor.model_copy(update={"matrices": tensor.matrices * batch})
            for tensor in self.tensors
        )
        operators = tuple(
            self._for_batch(operator, batch)
            if isinstance(operator, Vector)
            else operator
            for operator in self.operators
        )
        return replace(self, tensors=tensors, operators=operators)

    def _for_batch(self, vector: Vector, batch: int) -> Vector:
        """Return a vector operator for a batch of samples."""
        inputs = [self.by_name[name] for name in vector.inputs]
        # Samples follow each other, and share the weights.
        views = tuple(
            view.repeated(batch, 0 if own.role is Role.WEIGHTS else own.elements)
            for view, own in zip(vector.views, inputs, strict=bool(vector.views))
        )
        elements = vector.elements * batch if vector.elements else None
        turns = vector.turns * batch if views else 1
        changed = {"views": views, "turns": turns, "elements": elements}
        return vector.model_copy(update=changed)

    def content(self) -> dict[str, Any]:
        """Return the content of a workload file, without default values."""
        return {
            "name": self.name,
            "tensors": [
                tensor.model_dump(mode="json", exclude_defaults=True)
                for tensor in self.tensors
            ],
            "operators": [
                {
                    "kind": operator.kind,
                    **operator.model_dump(mode="json", exclude_defaults=True),
                }
                for operator in self.operators
            ],
        }


@cache
def workload_names() -> tuple[str, ...]:
    """Return the names of the shipped workload specs, sorted."""
    return shipped_names("workloads", ".toml")


def load_workload(name_or_path: str | Path) -> Workload:
    """Return a workload spec by name, or that of a TOML or JSON file.

    Parameters
    ----------
    name_or_path
        ``gemm:MxKxN``, ``lstm:HIDDEN``, a shipped name, or a path; that of an ONNX file
        may be followed by sizes, as in ``model.onnx:batch=1``, and an encoder-decoder
        by its pass, as in ``t5-small:decoder,context=8``.

    Raises
    ------
    SpecError
        If there is no such workload, a size is invalid, or the graph is invalid; the
        message names every fault.
    """
    text = str(name_or_path)
    kind = text.partition(":")[0]
    if kind in NAMED:
        return Workload(text, *named_graph(text))
    if is_onnx(text):
        found = load_onnx(text)
        path = Path(split_sizes(text)[0])
        return Workload(path.stem, found.tensors, found.operators)
    of_pass = graph_of_pass(text)
    if of_pass is not None:
        return Workload(of_pass.name, of_pass.tensors, of_pass.operators)
    if text in workload_names():
        path = shipped_path("workloads", f"{text}.toml")
    else:
        path = Path(text)
        if not is_there(path) and path.suffix not in FILE_SUFFIXES:
            known = [*workload_names(), *NAMED.values()]
            raise SpecError(
                f"no workload {shown(text)} is shipped and no such file is in "
                f"{Path.cwd()}; "
                f"{nearest(text, known)}"
            )
    return _from_content(read_mapping(path), path.name)


def _from_content(content: Mapping[str, Any], origin: str) -> Workload:
    """Return the workload spec of a file's content, or one error with every fault."""
    if "blocks" in content:
        raise SpecError(
            f"{origin} has blocks, so it is the graph of a model: use --model {origin}"
        )
    faults = [
        f"there is no key {key!r}; {nearest(key, _KEYS)}"
        for key in content
        if key not in _KEYS
    ]
    tensors: list[Tensor] = []
    operators: list[Operator] = []
    for key in ("tensors", "operators"):
        items = content.get(key, [])
        if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
            faults.append(f"{key} must be tables, each begun with [[{key}]]")
            continue
        for number, item in enumerate(items, start=1):
            what = f"{key[:-1]} {item.get('name', number)}"
            try:
                if key == "tensors":
                    tensors.append(build(Tensor, item, what))
                else:
                    operators.append(_operator(item, what))
            except SpecError as error:
                faults.append(str(error))
    if faults:
        raise SpecError(f"{origin}: {'; '.join(faults)}")
    try:
        name = str(content.get("name", Path(origin).stem))
        return Workload(name, tuple(tensors), tuple(operators))
    except SpecError as error:
        raise SpecError(f"{origin}: {error}") from None


def _operator(item: Mapping[str, Any], what: str) -> Operator:
    """Return the operator spec of a table, whose kind decides its class."""
    kind = item.get("kind")
    if not isinstance(kind, str) or kind not in _OPERATORS:
        hint = nearest(str(kind), _OPERATORS) if kind else f"{', '.join(_OPERATORS)}"
        raise SpecError(
            f"{what}: kind must be one of those known, not {shortened(repr(kind))}; "
            f"{hint}"
        )
    return build(_OPERATORS[kind], item, what)
