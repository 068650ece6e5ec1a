import numpy as np

from fabric.functional_engine.settings import OperatorSettings, unchanged


def test_an_operator_without_an_activation_has_one_that_does_nothing() -> None:
    numbers = np.array([-2.0, 0.0, 3.0])
    assert unchanged(numbers) is numbers
    assert OperatorSettings().activation is unchanged
