"""Files of a tree: TOML, JSON, tables as CSV, graphs as GraphML, and ONNX models."""

import json
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import quoteattr

Render = Callable[[Any], bytes]


def as_toml(tree: Any) -> bytes:
    """Return a table as TOML, with all tables inside it on the line of their key."""
    table = tree if isinstance(tree, dict) else {"": tree}
    lines = [f"{_key(k)} = {_value(v)}\n" for k, v in table.items() if v is not None]
    return "".join(lines).encode("utf-8", "surrogatepass")


def _key(key: object) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _value(value: Any) -> str:
    match value:
        case None:
            return '""'
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case dict():
            inner = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
            return "{" + inner + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def as_json(tree: Any) -> bytes:
    """Return a tree as JSON."""
    return json.dumps(tree).encode()


def as_csv(tree: Any) -> bytes:
    """Return a list of rows, each a list of cells, as CSV."""
    rows = tree if isinstance(tree, list) else [tree]
    lines = []
    for row in rows:
        cells = row if isinstance(row, list) else [row]
        lines.append(",".join("" if c is None else str(c) for c in cells))
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def as_graphml(tree: Any) -> bytes:
    """Return a graph as GraphML.

    Its keys are ``keys`` (attributes of ``key``), ``edgedefault``, ``nodes`` and
    ``edges``: the attributes of each, and its ``data`` by the key's id.
    """
    graph = tree if isinstance(tree, dict) else {}
    lines = ['<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    lines += [f"<key{_attributes(key)}/>" for key in _tables(graph.get("keys"))]
    direction = quoteattr(str(graph.get("edgedefault")))
    lines.append(f"<graph edgedefault={direction}>")
    for name in ("node", "edge"):
        for item in _tables(graph.get(f"{name}s")):
            data = item.get("data")
            inner = "".join(
                f"<data key={quoteattr(str(key))}>{value}</data>"
                for key, value in (data.items() if isinstance(data, dict) else ())
            )
            rest = {key: value for key, value in item.items() if key != "data"}
            lines.append(f"<{name}{_attributes(rest)}>{inner}</{name}>")
    lines.append("</graph></graphml>")
    return "\n".join(lines).encode("utf-8", "replace")


def _tables(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def _attributes(table: dict[str, Any]) -> str:
    return "".join(f" {key}={quoteattr(str(value))}" for key, value in table.items())


def as_onnx(tree: Any) -> bytes:
    """Return the JSON form of an ONNX model as its bytes.

    What ONNX's own classes cannot hold is no file that anybody can make: it becomes
    an empty model.
    """
    import onnx
    from google.protobuf import json_format

    try:
        model = json_format.ParseDict(
            tree, onnx.ModelProto(), ignore_unknown_fields=True
        )
    except (json_format.Error, AttributeError, TypeError, ValueError, KeyError):
        model = onnx.ModelProto()
    return bytes(model.SerializeToString())
