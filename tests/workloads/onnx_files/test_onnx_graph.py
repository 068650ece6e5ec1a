from pathlib import Path

import onnx
import pytest

from specs.errors import SpecError
from workloads.graphs.workload import load_workload
from workloads.onnx_files.onnx_graph import load_onnx

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Multiplications of one picture as the papers have them, in thousands of millions.
PUBLISHED = {
    "densenet121": 2.83,
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
