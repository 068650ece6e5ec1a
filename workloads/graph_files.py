"""Graph files: the operator graph of a model as JSON or TOML, and back."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from specs.errors import SpecError, nearest
from specs.validation import read_mapping
from workloads.graph_validation import ATTRIBUTES
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import Function, GraphOperator, GraphTensor, TokenRows

T = TypeVar("T")
# The key by which such a file is told from others.
BLOCKS = "blocks"
_SUFFIXES = (".json", ".toml")
_GRAPH_KEYS = ("name", "rows", BLOCKS)
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
_BLOCK_KEYS = ("name", "layers", "hands_on", "tensors", "operators")


def graph_content(graph: OperatorGraph) -> dict[str, Any]:
    """Return the content of a workload's graph file, without default values."""
    return {
        "name": graph.name,
        "rows": _content(graph.rows),
        BLOCKS: [
            {
                "name": block.name,
                **({"layers": list(block.layers)} if block.layers else {}),
                "hands_on": block.hands_on,
                "tensors": [_content(tensor) for tensor in block.tensors],
                "operators": [_content(operator) for operator in block.operators],
            }
            for block in graph.blocks
        ],
    }


def _content(value: Any) -> dict[str, Any]:
    """Return the fields of a value that are not their defaults."""
    shown = _adapter(type(value)).dump_python(value, mode="json")
    return {
        field.name: shown[field.name]
        for field in fields(value)
        if field.default is MISSING or getattr(value, field.name) != field.default
    }


def is_graph_file(path: Path) -> bool:
    """Return whether a file holds a workload's graph as `graph_content` gives it.

    Raises
    ------
    SpecError
        If it is a file of that kind but cannot be read.
    """
    return path.suffix in _SUFFIXES and path.is_file() and BLOCKS in read_mapping(path)


def load_graph(path: Path) -> OperatorGraph:
    """Return the workload's graph in a JSON or TOML file.

    Raises
    ------
    SpecError
        If a key is unknown or missing, a value is invalid, or the graph is: an operator
        reads what nothing makes, sizes do not fit.
    """
    return graph_from(read_mapping(path), path.name)


def graph_from(content: Mapping[str, Any], origin: str) -> OperatorGraph:
    """Return the workload's graph of a file's content.

    Parameters
    ----------
    content
        What `graph_content` returns.
    origin
        Name of the file, for messages.

    Raises
    ------
    SpecError
        As `load_graph` does.
    """
    _check_keys(content, _GRAPH_KEYS, _GRAPH_KEYS, origin)
    rows = _value(TokenRows, content["rows"], f"{origin}: rows")
    blocks = content[BLOCKS]
    if not isinstance(blocks, list) or not all(isinstance(b, Mapping) for b in blocks):
        raise SpecError(
            f"{origin}: {BLOCKS} must be tables, each begun with [[blocks]]"
        )
    return OperatorGraph(
        name=_field(str, content, "name", origin),
        rows=rows,
        blocks=tuple(
            _block(block, f"{origin}: block {block.get('name', number)}")
            for number, block in enumerate(blocks, start=1)
        ),
    )


def _block(table: Mapping[str, Any], what: str) -> Block:
    """Return the block of a table."""
    _check_keys(table, _BLOCK_KEYS, set(_BLOCK_KEYS) - {"layers"}, what)
    tensors, operators = (
        table[key] if isinstance(table[key], list) else [table[key]]
        for key in ("tensors", "operators")
    )
    return Block(
        name=_field(str, table, "name", what),
        layers=_field(tuple[int, ...], {"layers": (), **table}, "layers", what),
        hands_on=_field(str, table, "hands_on", what),
        tensors=tuple(_value(GraphTensor, each, f"{what}: tensor") for each in tensors),
        operators=tuple(_operator(each, what) for each in operators),
    )


def _operator(table: Any, what: str) -> GraphOperator:
    """Return the operator of a table, whose function decides its attributes."""
    if not isinstance(table, Mapping):
        raise SpecError(f"{what}: an operator must be a table, not {table!r}")
    name = table.get("function")
    what = f"{what}: operator {table.get('name', '')}"
    if not isinstance(name, str) or name not in set(Function):
        raise SpecError(
            f"{what}: no function {name!r} is known; {nearest(str(name), Function)}"
        )
    kind = ATTRIBUTES[Function(name)]
    given = table.get("attributes")
    if (kind is None) != (given is None):
        needs = "has no attributes" if kind is None else f"needs {kind.__name__}"
        raise SpecError(f"{what}: function {name} {needs}")
    plain = {key: value for key, value in table.items() if key != "attributes"}
    operator = _value(GraphOperator, plain, what)
    if kind is None:
        return operator
    attributes: Any = _value(kind, given, f"{what}: attributes")
    return replace(operator, attributes=attributes)


def _check_keys(table: Mapping[str, Any], known: Any, needed: Any, what: str) -> None:
    """Refuse unknown and missing keys."""
    for key in table:
        if key not in known:
            raise SpecError(f"{what}: there is no key {key!r}; {nearest(key, known)}")
    for key in known:
        if key in needed and key not in table:
            raise SpecError(f"{what}: the key {key!r} is missing")


def _field(kind: type[T], table: Mapping[str, Any], key: str, what: str) -> T:
    """Return the value of a key, of a given type."""
    return _valid(kind, table[key], f"{what}: {key}")


def _value(kind: type[T], table: Any, what: str) -> T:
    """Return a value of a kind from a table of its fields."""
    if not isinstance(table, Mapping):
        raise SpecError(f"{what} must be a table, not {table!r}")
    own = fields(kind)  # type: ignore[arg-type]
    needed = {field.name for field in own if field.default is MISSING}
    _check_keys(table, [field.name for field in own], needed, what)
    return _valid(kind, dict(table), what)


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Return what validates values of a kind, made once; to make it takes 4 ms."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _valid(kind: type[T], given: Any, what: str) -> T:
    """Return what is given as a value of a kind."""
    try:
        return _adapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ": ".join([what, *map(str, first["loc"])])
        raise SpecError(f"{where}: {first['msg'].lower()}") from None
