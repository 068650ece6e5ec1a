"""Topologies of one's own: a model on a ring, on the ring with chords, on a node."""

import networkx as nx

from experiments import run_scenario

small = {
    "model": "gpt2",
    "strategy": "tensor=4,pipeline=2",
    "context": 256,
    "tokens": 2,
    "settings": {"model.layers": 4},
}
ring = nx.cycle_graph(8)
chords = nx.circulant_graph(8, [1, 4])
for name, wiring in (("ring", ring), ("chords", chords), ("node", "node")):
    run = run_scenario(topology=wiring, chips=8, **small)
    cycles = run.summary["schedule"]["latency_cycles"]
    used = int((run.links["vectors"] > 0).sum())
    print(f"{name:8} {cycles:>8,} cycles a token, {used:>3} directed links in use")
