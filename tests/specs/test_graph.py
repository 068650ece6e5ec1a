import pytest
from pydantic import ValidationError

from specs.graph import Lookup, Matmul, Role, Tensor, Vector


def test_a_tensor_has_the_elements_of_all_its_matrices() -> None:
    one = Tensor(name="one", rows=3, columns=4)
    two = Tensor(name="two", rows=3, columns=4, matrices=2)
    assert (one.elements, two.elements) == (12, 24)
    assert (one.shape, two.shape) == ("3 x 4", "2 of 3 x 4")
    assert one.role is Role.ACTIVATION


def test_operators_read_their_operands_and_make_their_results() -> None:
    product = Matmul(name="product", left=("a", "b"), right="w", output="c")
    assert (product.reads, product.makes) == (("a", "b", "w"), ("c",))
    vector = Vector(name="vector", inputs=("a",), outputs=("b", "c"))
    assert (vector.reads, vector.makes) == (("a",), ("b", "c"))
    lookup = Lookup(name="lookup", tables=("t",), index=("i",), output="c")
    assert (lookup.reads, lookup.makes) == (("t", "i"), ("c",))


def test_a_single_name_is_a_list_of_one() -> None:
    content = {"name": "lookup", "tables": "t", "index": "i", "output": "c"}
    assert Lookup.model_validate(content) == Lookup(
        name="lookup", tables=("t",), index=("i",), output="c"
    )


def test_an_operator_reads_something() -> None:
    with pytest.raises(ValidationError, match=r"inputs\n.*at least 1 item"):
        Vector(name="vector", inputs=(), outputs=("b",))
