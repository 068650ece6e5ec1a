from dataclasses import replace

from experiments.html_report.comparison import flat
from experiments.html_report.key_figures import key_figures
from experiments.html_report.run_folder import RunFolder


def test_a_key_figure_is_the_number_of_the_summary(
    simulated: RunFolder, served: RunFolder
) -> None:
    for folder in (simulated, served):
        values = flat(folder.summary)
        figures = key_figures(folder)
        assert len(figures) >= 8
        assert {each.key: each.value for each in figures} == {
            each.key: values[each.key] for each in figures
        }
        assert not any(figure.bad for figure in figures)


def test_what_went_wrong_stands_out(simulated: RunFolder) -> None:
    summary = simulated.summary
    wrong = {
        **summary,
        "violations": {**summary["violations"], "underflow": 3},
        "schedule": {**summary["schedule"], "certificate": None},
        "iteration": {
            **summary["iteration"],
            "latency_ns": dict.fromkeys(summary["iteration"]["latency_ns"]),
        },
    }
    figures = key_figures(replace(simulated, summary=wrong))
    bad = {figure.label: figure.text for figure in figures if figure.bad}
    assert bad == {
        "a token": "none delivered",
        "certificate": "none",
        "faults": "3 violations",
    }
