from fabric.clocks.alignment_epochs import alignment_epochs


def test_each_level_of_the_tree_takes_the_epochs_its_latency_spans() -> None:
    assert alignment_epochs(latency_cycles=228, epoch_cycles=252, height=3) == 3
    assert alignment_epochs(latency_cycles=252, epoch_cycles=252, height=3) == 6
    assert alignment_epochs(latency_cycles=228, epoch_cycles=252, height=0) == 0
