import pytest

from specs.errors import SpecError
from specs.formats import Format
from specs.graph import Matmul, Role, Tensor, Vector
from specs.vector_functions import VectorFunction
from workloads.graphs.presets import NAMED, named_graph
from workloads.graphs.workload import load_workload


@pytest.mark.parametrize(
    "name",
    [
        "gemm:2x3",
        "gemm:0x3x4",
        "gemm",
        "gemm:2x3x4:fp9",
        "lstm:",
        "lstm:-8",
        "lstm:8x8",
    ],
)
def test_a_name_without_sizes_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=r"workload .*: write (gemm:MxKxN|lstm:HIDDEN)"):
        load_workload(name)


def test_a_step_of_an_lstm_has_four_gates_of_both_operands() -> None:
    weights = load_workload("lstm:512").by_name["w"]
    assert weights.elements == 8 * 512**2


def test_a_product_multiplies_an_input_by_installed_weights() -> None:
    fp8 = Format.FP8
    assert named_graph("gemm:2x3x4:fp8:gathered") == (
        (
            Tensor(name="a", role=Role.INPUT, rows=2, columns=3, format=fp8),
            Tensor(name="b", role=Role.WEIGHTS, rows=3, columns=4, format=fp8),
            Tensor(name="c", role=Role.OUTPUT, rows=2, columns=4, gathered=True),
        ),
        (Matmul(name="gemm", left=("a",), right="b", output="c"),),
    )


def test_a_step_of_an_lstm_is_a_product_and_a_chained_vector_operator() -> None:
    tensors, (product, cell) = named_graph("lstm:8")
    assert [(each.name, each.rows, each.columns) for each in tensors] == [
        ("x", 1, 8),
        ("h", 1, 8),
        ("cell", 1, 8),
        ("w", 16, 32),
        ("gates", 1, 32),
    ]
    assert {each.format for each in tensors if each.format} == {Format.INT8}
    assert product == Matmul(name="gates", left=("x", "h"), right="w", output="gates")
    # A bias and an activation of three operations; then 3 + 1 + 3 for the cell.
    assert cell == Vector(
        name="cell",
        inputs=("gates", "cell"),
        outputs=("cell", "h"),
        function=VectorFunction.LSTM_CELL,
        chained=True,
    )
    assert isinstance(cell, Vector)
    assert cell.operation_count == 4 + 7


@pytest.mark.parametrize("name", ["lstm:8:gathered", "gemm:2x3x4:fp8:fp16"])
def test_options_that_a_preset_does_not_have_are_refused(name: str) -> None:
    with pytest.raises(SpecError, match=r"formats are fp32, fp16, bf16, fp8, int8"):
        named_graph(name)


@pytest.mark.parametrize("kind", NAMED)
def test_a_preset_states_its_syntax(kind: str) -> None:
    with pytest.raises(SpecError) as refused:
        named_graph(f"{kind}:none")
    assert NAMED[kind] in str(refused.value)
