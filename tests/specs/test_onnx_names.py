from specs.onnx_names import is_onnx, split_sizes


def test_a_name_may_be_followed_by_sizes() -> None:
    assert is_onnx("folder/model.onnx")
    assert is_onnx("MODEL.ONNX:batch=1")
    assert not is_onnx("model.toml")
    assert not is_onnx("gemm:2x3x4")
    assert split_sizes("a:b/it.onnx:n=1,m=2") == ("a:b/it.onnx", "n=1,m=2")
    assert split_sizes("a:b/it.onnx") == ("a:b/it.onnx", "")
