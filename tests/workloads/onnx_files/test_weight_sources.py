import numpy as np

from workloads.onnx_files.values import whole
from workloads.onnx_files.weight_sources import OnnxGraph, WeightSource


def test_numbers_of_weights_are_laid_as_the_graph_has_them() -> None:
    value = whole("w", (2, 3), constant=True).transposed((1, 0))
    source = WeightSource(value, lambda: np.arange(6).reshape(2, 3), (1, 2, 3))
    graph = OnnxGraph((), (), {"w": source})
    assert graph.arrays()["w"].tolist() == [[0, 3, 1], [4, 2, 5]]
