import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specs.element_view import Loop, View
from specs.errors import SpecError
from specs.graph import Matmul, Role, Tensor, Vector
from specs.vector_functions import VectorFunction
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload, load_workload, workload_names
from workloads.reference.evaluation import evaluate

X = Tensor(name="x", role=Role.INPUT, rows=2, columns=3)
W = Tensor(name="w", role=Role.WEIGHTS, rows=3, columns=4)
Y = Tensor(name="y", role=Role.OUTPUT, rows=2, columns=4)
PRODUCT = Matmul(name="product", left=("x",), right="w", output="y")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_product_is_two_operands_and_a_result() -> None:
    workload = Workload("mine", (X, W, Y), (PRODUCT,))
    assert [tensor.elements for tensor in workload.tensors] == [6, 12, 8]


def test_every_fault_of_a_file_is_named_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        nmae = "mine"
        [[tensors]]
        name = "x"
        rows = 0
        colums = 4
        [[operators]]
        name = "product"
        kind = "matmull"
        """,
    )
    with pytest.raises(SpecError) as refusal:
        load_workload(path)
    message = str(refusal.value)
    assert message.startswith("mine.toml: there is no key 'nmae'; did you mean 'name'?")
    for fault in (
        "tensor x: rows = 0",
        "key 'columns' is missing",
        "no key 'colums'; did you mean 'columns'?",
        "operator product: kind must be one of those known, not 'matmull'",
    ):
        assert fault in message


@pytest.mark.parametrize("name", [*workload_names(), "gemm:2x3x4", "lstm:8:fp16"])
def test_a_workload_is_the_same_read_from_its_own_file(
    name: str, tmp_path: Path
) -> None:
    workload = load_workload(name)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(workload.content()), encoding="utf-8")
    assert load_workload(path) == workload


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecError, match=r"no file nowhere\.toml"):
        load_workload("nowhere.toml")
    with pytest.raises(SpecError, match="no workload 'mlpp' is shipped"):
        load_workload("mlpp")


def test_a_batch_shares_the_weights_and_nothing_else() -> None:
    one, four = load_workload("mlp"), load_workload("mlp").batched(4)
    for before, after in zip(one.tensors, four.tensors, strict=True):
        times = 1 if before.role is Role.WEIGHTS else 4
        assert after.elements == times * before.elements


def test_samples_of_a_batch_are_moved_alike() -> None:
    tensors = (
        Tensor(name="x", role=Role.INPUT, rows=2, columns=3),
        Tensor(name="w", role=Role.WEIGHTS, rows=1, columns=2),
        Tensor(name="y", role=Role.OUTPUT, rows=2, columns=4),
    )
    columns = View(loops=(Loop(size=2, stride=1), Loop(size=3, stride=2)))
    row = View(loops=(Loop(size=2, stride=1),))
    moved = Vector(
        name="move",
        inputs=("x", "w"),
        outputs=("y",),
        function=VectorFunction.REARRANGE,
        views=(columns, row),
        turns=2,
    )
    one = Workload("moved", tensors, (moved,))
    two = graph_of_workload(one.batched(2)).graph
    samples = [np.arange(6.0).reshape(2, 3), np.arange(6.0, 12.0).reshape(2, 3)]
    weights = {"w": np.array([[50.0, 60.0]])}
    alone = [
        evaluate(graph_of_workload(one).graph, {"x": x}, weights)["y"] for x in samples
    ]
    together = evaluate(two, {"x": np.vstack(samples)}, weights)["y"]
    np.testing.assert_array_equal(together, np.vstack(alone))
    assert alone[0].tolist() == [[0, 2, 4, 50], [1, 3, 5, 60]]


def test_the_examples_of_the_page_are_workloads(tmp_path: Path) -> None:
    page = Path(__file__).parents[3] / "docs" / "workloads.md"
    text = page.read_text("utf-8")
    (file,) = re.findall(r"```toml my\.toml\n(.*?)```", text, re.DOTALL)
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if "Workload(" in block
    ]
    read = load_workload(written(tmp_path, file))
    names: dict[str, Any] = {}
    exec(compile(code, str(page), "exec"), names)
    (made,) = [value for value in names.values() if isinstance(value, Workload)]
    assert [tensor.shape for tensor in read.tensors] == [
        tensor.shape for tensor in made.tensors
    ]
    assert read.operators == made.operators


def test_a_kind_that_is_a_list_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "operators = [{kind = [1]}]")
    with pytest.raises(SpecError, match=r"one of those known, not \[1\]"):
        load_workload(path)
