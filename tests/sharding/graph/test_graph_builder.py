from sharding.graph.graph_builder import GraphBuilder
from specs.formats import Format
from specs.graph import Matmul, Role, Tensor, Vector
from specs.workload import Workload


def test_tensors_and_operators_are_kept_in_the_order_of_addition() -> None:
    graph = GraphBuilder()
    x = graph.tensor("x", 2, 4, role=Role.INPUT, stored=Format.INT8)
    up = graph.tensor("up", 2, 6)
    graph.matmul("up", x, (4, 6), up, matrices=3, chosen=1)
    bias = graph.weights("bias", 1, 6)
    y = graph.vector(
        "add", (up, bias), graph.tensor("y", 2, 6, role=Role.OUTPUT), 1, passes=2
    )
    assert (x, up, bias, y) == ("x", "up", "bias", "y")
    assert graph.tensors == [
        Tensor(name="x", role=Role.INPUT, rows=2, columns=4, format=Format.INT8),
        Tensor(name="up", rows=2, columns=6),
        Tensor(name="up.weight", role=Role.WEIGHTS, rows=4, columns=6, matrices=3),
        Tensor(name="bias", role=Role.WEIGHTS, rows=1, columns=6),
        Tensor(name="y", role=Role.OUTPUT, rows=2, columns=6),
    ]
    assert graph.operators == [
        Matmul(name="up", left=("x",), right="up.weight", output="up", chosen=1),
        Vector(name="add", inputs=("up", "bias"), outputs=("y",), passes=2),
    ]


def test_what_is_built_is_a_workload() -> None:
    graph = GraphBuilder()
    x = graph.tensor("x", 2, 4, role=Role.INPUT)
    graph.matmul("up", x, (4, 6), graph.tensor("y", 2, 6, role=Role.OUTPUT))
    workload = Workload("up", tuple(graph.tensors), tuple(graph.operators))
    assert workload.by_name["up.weight"].elements == 24
