"""A run with bit errors: its tables as data frames, its files, its page."""

from experiments import run_scenario

run = run_scenario(
    model="gpt2",
    chips=4,
    strategy="tensor=4",
    context=256,
    tokens=4,
    settings={"model.layers": 4, "link.ber": 1e-7},
)
print(
    run.tokens[["token", "latency_ps", "replay_ps", "attempts"]].to_string(index=False)
)
worst = run.links.nsmallest(3, "min_slack_cycles")
print(worst[["source", "target", "level", "min_slack_cycles"]].to_string(index=False))
print("open", run.write_report("report_of_a_run"))
