"""Splits of one model over the same chips, and where the cycles of the best one go."""

from experiments import plan_scenario, run_scenario

small = {"model": "gpt2", "chips": 8, "context": 256, "settings": {"model.layers": 4}}
best = plan_scenario(strategy="auto", **small)
for strategy in ("tensor=2,pipeline=4", "tensor=4,pipeline=2", str(best.plan.strategy)):
    run = run_scenario(strategy=strategy, tokens=1, engine="replay", **small)
    print(f"{strategy:32} {run.summary['schedule']['latency_cycles']:>9,} cycles")
cycles = run.timeline.groupby("name")["path_cycles"].sum()
print(cycles.sort_values(ascending=False).head(5).to_string())
