from workloads.collective import Collective


def test_two_collectives_add() -> None:
    adding = [kind.value for kind in Collective if kind.adds]
    assert adding == ["all-reduce", "reduce-scatter"]
