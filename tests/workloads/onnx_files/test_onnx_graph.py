from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from specs.errors import SpecError
from workloads.graphs.workload import load_workload
from workloads.onnx_files.onnx_graph import load_onnx

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
LIGHT = DATA / "light"
# Small graphs of the package, with results of the frameworks that they come from.
SMALL = sorted(
    path.parent
    for folder in ("pytorch-converted", "pytorch-operator", "simple")
    for path in (DATA / folder).glob("*/model.onnx")
)
# Of these ask for what is not modelled, by the words of the message.
REFUSED = {
    "test_gradient_of_add": "Gradient",
    "test_gradient_of_add_and_mul": "Gradient",
    **{f"test_sequence_model{number}": "Sequence" for number in range(1, 8)},
    "test_sequence_model8": "leaves sizes open: n",
    "test_shrink": "Shrink",
    "test_sign_model": "Sign",
    **{
        f"test_strnorm_model_{each}": "StringNormalizer"
        for each in (
            "monday_casesensintive_lower",
            "monday_casesensintive_nochangecase",
            "monday_casesensintive_upper",
            "monday_empty_output",
            "monday_insensintive_upper_twodim",
            "nostopwords_nochangecase",
        )
    },
}
# Multiplications of one picture as the papers have them, in thousands of millions.
PUBLISHED = {
    "inception_v1": 1.43,
    "resnet50": 4.09,
    "squeezenet": 0.35,
    "vgg19": 19.63,
}


@pytest.mark.parametrize("sizes", ["batch", "batch=", "batch=0", "batch=x", "=1.5"])
def test_a_size_that_is_none_is_refused(sizes: str) -> None:
    with pytest.raises(SpecError, match=r"is no size; write it.onnx:NAME=SIZE"):
        load_onnx(f"it.onnx:{sizes}")


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_networks_of_the_package_multiply_as_often_as_published(name: str) -> None:
    workload = load_workload(LIGHT / f"light_{name}.onnx")
    tensors = workload.by_name
    products = [each for each in workload.operators if each.kind == "matmul"]
    macs = sum(tensors[p.output].elements * tensors[p.right].rows for p in products)
    assert workload.name == f"light_{name}"
    assert macs / 1e9 == pytest.approx(PUBLISHED[name], rel=0.02)


def arrays_of(folder: Path, kind: str) -> list[Any]:
    """Return the inputs or outputs that a graph of the package comes with."""
    found = []
    for path in sorted((folder / "test_data_set_0").glob(f"{kind}_*.pb")):
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        found.append(numpy_helper.to_array(tensor))
    return found


@pytest.mark.parametrize("first", range(5))
def test_small_graphs_of_the_package_have_the_results_that_they_come_with(
    found: Callable[..., Any], first: int
) -> None:
    computed = 0
    for folder in SMALL[first::5]:
        model = onnx.load_model(folder / "model.onnx")
        if folder.name in REFUSED:
            with pytest.raises(SpecError, match=REFUSED[folder.name]):
                load_onnx(str(folder / "model.onnx"))
            continue
        names = [each.name for each in model.graph.input]
        given = dict(zip(names, arrays_of(folder, "input"), strict=False))
        with np.errstate(invalid="ignore"):
            # Roots and powers of numbers below 0 are none, there and here.
            values = found(model, given)
        wanted = arrays_of(folder, "output")
        for output, array in zip(model.graph.output, wanted, strict=True):
            largest = float(np.nanmax(np.abs(array))) or 1.0
            made = values[output.name].reshape(array.shape)
            np.testing.assert_allclose(
                made, array, rtol=0, atol=1e-4 * largest, err_msg=folder.name
            )
        computed += 1
    assert computed > 20
