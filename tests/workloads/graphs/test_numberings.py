from chip.element_numbering import Numbering, in_order
from specs.graph import Matmul, Role, Tensor
from workloads.graphs.numberings import chained_to, numberings, weight_blocks
from workloads.graphs.workload import Workload, load_workload


def test_what_goes_with_columns_of_weights_is_counted_by_columns() -> None:
    found = numberings(load_workload("mlp"))
    assert found["up"] == found["activated"] == Numbering(16, 4096)
    assert found["y"] == Numbering(16, 1024)
    # The norm runs on every chip, on all that it has.
    assert found["normed"] == in_order(16 * 1024)
    assert "w_up" not in found


def test_the_gates_of_a_unit_are_counted_together() -> None:
    lstm = load_workload("lstm:8").batched(2)
    assert weight_blocks(lstm) == {"w": 4}
    found = numberings(lstm)
    assert found["gates"] == Numbering(2, 8, 4)
    assert found["cell"] == found["h"] == Numbering(2, 8)
    # Of an input that a product streams, a chip has some columns.
    assert found["x"] == Numbering(2, 8)


def test_matrices_in_pairs_are_counted_in_their_order() -> None:
    pairs = Workload(
        "pairs",
        (
            Tensor(name="a", role=Role.INPUT, rows=2, columns=3, matrices=4),
            Tensor(name="b", role=Role.INPUT, rows=3, columns=5, matrices=4),
            Tensor(name="c", role=Role.OUTPUT, rows=2, columns=5, matrices=4),
        ),
        (Matmul(name="p", left=("a",), right="b", output="c"),),
    )
    assert numberings(pairs)["c"] == in_order(40)
    assert weight_blocks(pairs) == {"b": 1}


def test_an_operator_is_chained_to_the_one_before_it() -> None:
    mlp = load_workload("mlp")
    names = [getattr(chained_to(mlp, number), "name", None) for number in range(4)]
    assert names == [None, "activate", None, None]
