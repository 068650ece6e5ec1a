import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.graphs.workload import load_workload
from workloads.onnx_files.model_reader import NODES
from workloads.onnx_files.reading import read_model, shaped_model

X = np.ones((2, 3), np.float32)
Make = Callable[..., onnx.ModelProto]


def chain(*pairs: tuple[str, str]) -> list[onnx.NodeProto]:
    """Return nodes that each make one value of another."""
    return [
        helper.make_node("Relu", [one], [other], name=f"to_{other}")
        for one, other in pairs
    ]


def written(model: onnx.ModelProto, tmp_path: Path) -> Path:
    path = tmp_path / "it.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_file_is_read_as_the_model_that_it_holds(make: Make, tmp_path: Path) -> None:
    model = make(chain(("x", "y")), {"x": X}, {}, ["y"])
    shaped = read_model(written(model, tmp_path), {}, tuple(NODES))
    assert [node.name for node in shaped.model.graph.node] == ["to_y"]
    assert shaped.shapes == {"x": (2, 3), "y": (2, 3)}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_file_that_is_cut_is_refused_in_one_line(
    make: Make, tmp_path: Path, share: float
) -> None:
    weights = np.ones((3, 4), np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    path = written(make([node], {"x": X}, {"w": weights}, ["y"]), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SpecError, match="is the file complete") as caught:
        load_workload(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_no_onnx_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file .*nowhere.onnx"):
        load_workload(tmp_path / "nowhere.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(
        SpecError, match=r"folder.onnx: is a folder; give a regular file"
    ):
        load_workload(tmp_path / "folder.onnx")
    text = tmp_path / "text.onnx"
    text.write_text("name = 'layer'\n", encoding="utf-8")
    with pytest.raises(SpecError, match="is the file complete"):
        load_workload(text)


def test_without_the_package_the_message_says_how_it_is_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    importing = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == "onnx":
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    wanted = r"it.onnx: .*pip install 'groqrack-fabric\[onnx\]'"
    with pytest.raises(SpecError, match=wanted):
        load_workload(tmp_path / "it.onnx")


def test_numbers_of_weights_are_not_looked_at(make: Make, read: Any) -> None:
    weights = np.ones((3, 4), np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = make([node], {"x": X}, {"w": weights}, ["y"])
    stored = model.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.data_location = onnx.TensorProto.EXTERNAL
    stored.external_data.add(key="location", value="weights.bin")
    graph = read(model)
    assert {tensor.name: tensor.shape for tensor in graph.tensors} == {
        "x": "2 x 3",
        "w": "3 x 4",
        "y": "2 x 4",
    }
    with pytest.raises(SpecError, match=r"of w are in the file weights.bin, which is"):
        graph.arrays()


def test_numbers_that_decide_on_a_shape_must_be_in_the_file(
    make: Make, read: Any
) -> None:
    node = helper.make_node("Slice", ["x", "start", "end"], ["y"], name="cut")
    one = np.array([1])
    model = make([node], {"x": X}, {"start": one, "end": 2 * one}, ["y"])
    model.graph.output[0].type.CopyFrom(
        helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, (1, 3))
    )
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    model.graph.initializer[0].ClearField("raw_data")
    with pytest.raises(SpecError, match=r"cut \(Slice\) operand 2 must be a constant"):
        read(model)


def test_shapes_that_do_not_fit_are_named_in_one_line(make: Make) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="wrong")
    model = make([node], {"x": X}, {"w": np.ones((4, 2), np.float32)}, ["y"])
    with pytest.raises(SpecError, match=r"shapes do not fit: .*wrong") as caught:
        shaped_model(model, "it", {}, tuple(NODES))
    assert "\n" not in str(caught.value)


def test_a_model_without_nodes_is_refused() -> None:
    with pytest.raises(SpecError, match="without nodes; is the file complete"):
        shaped_model(onnx.ModelProto(), "it", {}, tuple(NODES))


def test_shapes_that_follow_from_shapes_are_known(make: Make) -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "one"], ["wide"]),
        helper.make_node("Concat", ["rest", "wide"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    constants = {"one": np.array([1]), "rest": np.array([-1])}
    value = np.ones((2, 5, 3), np.float32)
    shaped = shaped_model(
        make(nodes, {"x": value}, constants, ["y"]), "it", {}, tuple(NODES)
    )
    assert shaped.shapes["y"] == (6, 5)
    assert [node.op_type for node in shaped.model.graph.node] == ["Reshape"]


def test_functions_that_are_not_known_are_read_node_by_node(make: Make) -> None:
    node = helper.make_node("Mish", ["x"], ["y"])
    shaped = shaped_model(make([node], {"x": X}, {}, ["y"]), "it", {}, tuple(NODES))
    kinds = [each.op_type for each in shaped.model.graph.node]
    assert "Mish" not in kinds
    assert {"Softplus", "Tanh", "Mul"} <= set(kinds)
