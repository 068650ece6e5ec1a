"""Per-token latency against the number of chips, one row for each."""

from experiments import sweep_scenarios

table = sweep_scenarios(
    {
        "strategy": ["tensor=2", "tensor=4", "tensor=8"],
        "chips": [2, 4, 8],
        "zip": [["strategy", "chips"]],
    },
    model="gpt2",
    context=256,
    tokens=1,
    engine="replay",
    settings={"model.layers": 4},
)
table["latency_us"] = table["iteration.latency_ns.mean"] / 1e3
print(table[["chips", "strategy", "latency_us", "feasible"]].to_string(index=False))
