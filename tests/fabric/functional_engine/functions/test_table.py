from chip.dataflow import Function
from fabric.functional_engine.functions.graph_operators import paired_product, total
from fabric.functional_engine.functions.products import partial_sum, product
from fabric.functional_engine.functions.residual_stream import added
from fabric.functional_engine.functions.table import FUNCTIONS


def test_every_function_of_a_dataflow_is_computed() -> None:
    assert FUNCTIONS.keys() == {*Function}
    # None is computed by the function of another.
    assert len({*FUNCTIONS.values()}) == len(FUNCTIONS)


def test_sums_and_products_are_those_of_their_kind() -> None:
    assert FUNCTIONS[Function.PRODUCT] is product
    assert FUNCTIONS[Function.PAIRED_PRODUCT] is paired_product
    assert FUNCTIONS[Function.ADD] is added
    assert FUNCTIONS[Function.TOTAL] is total
    assert FUNCTIONS[Function.PARTIAL_SUM] is partial_sum
