import numpy as np

from serving.results.served import Served


def test_what_was_served_is_a_line_at_a_prompt_and_a_table_in_a_notebook() -> None:
    served = Served.empty(np.arange(10**6))
    assert repr(served).startswith("Served(arrival_ps=int64[1000000], outcome=int64[")
    assert len(repr(served)) < 2000
    assert served._repr_html_().startswith("<table>")
