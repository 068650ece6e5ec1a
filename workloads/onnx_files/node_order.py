"""Order of the nodes of an ONNX graph: each value is made once, before it is read."""

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from specs.errors import SpecError

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def check_names(graph: "GraphProto", origin: str) -> None:
    """Refuse values that several nodes make, or none."""
    given = {value.name for value in (*graph.input, *graph.initializer)}
    given |= {each.values.name for each in graph.sparse_initializer}
    made: dict[str, str] = dict.fromkeys(given, "an input")
    for number, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in made:
                raise SpecError(
                    f"{origin}: {name_of(node, number)} makes {name}, which "
                    f"{made[name]} is already"
                )
            made[name] = f"the result of {name_of(node, number)}"
    missing = [
        f"{name_of(node, number)} reads {name}"
        for number, node in enumerate(graph.node)
        for name in node.input
        if name and name not in made
    ]
    missing += [
        f"{each.name} is an output" for each in graph.output if each.name not in made
    ]
    if missing:
        raise SpecError(
            f"{origin}: {'; '.join(missing)}, which nothing makes; is the file "
            f"complete?"
        )


def name_of(node: "NodeProto", number: int) -> str:
    """Return the name of an ONNX node; those without one are numbered."""
    return node.name or f"{node.op_type}_{number}"


def sort_nodes(graph: "GraphProto", origin: str) -> None:
    """Put the nodes of a graph in an order in which each follows what it reads."""
    nodes = list(graph.node)
    maker = {name: n for n, node in enumerate(nodes) for name in node.output if name}
    # What nodes of inner graphs read is not followed; such nodes are refused.
    needs = {
        number: {maker[name] for name in node.input if name in maker}
        for number, node in enumerate(nodes)
    }
    if all(before < number for number, own in needs.items() for before in own):
        return
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = error.args[1]
        names = " -> ".join(name_of(nodes[number], number) for number in circle)
        raise SpecError(
            f"{origin}: its nodes wait for each other: {names}; an iteration must end, "
            f"so cut the circle"
        ) from None
    del graph.node[:]
    graph.node.extend(nodes[number] for number in order)
