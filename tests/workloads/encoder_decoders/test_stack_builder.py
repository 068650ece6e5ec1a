from tests.workloads.encoder_decoders.stacks import started


def test_weights_that_two_parts_read_are_there_once() -> None:
    builder = started("t5")
    assert builder.weights("w", 3, 4) == builder.weights("w", 3, 4) == "w"
    assert [tensor.name for tensor in builder.graph()[0]] == ["residual", "w"]
