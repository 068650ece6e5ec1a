"""Names of ONNX files: a path, and behind it the sizes that the file leaves open."""

SUFFIX = ".onnx"


def is_onnx(name: str) -> bool:
    """Return whether a name is that of an ONNX file, sizes behind it or not.

    >>> is_onnx("model.onnx:batch=1"), is_onnx("gemm:2x3x4")
    (True, False)
    """
    return split_sizes(name)[0].lower().endswith(SUFFIX)


def split_sizes(name: str) -> tuple[str, str]:
    """Return the path of an ONNX file's name, and the sizes behind it; else the name.

    >>> split_sizes("C:/models/model.onnx:batch=1,length=8")
    ('C:/models/model.onnx', 'batch=1,length=8')
    >>> split_sizes("gemm:2x3x4")
    ('gemm:2x3x4', '')
    """
    end = name.lower().find(f"{SUFFIX}:")
    if end < 0:
        return name, ""
    end += len(SUFFIX)
    return name[:end], name[end + 1 :]
