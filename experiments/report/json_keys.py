"""Meaning of every key of the JSON documents, with its unit, as a page of docs.

A key of a nested object is written with dots, of an object in a list with ``[]``.
"""

from experiments.report.cost_keys import COST
from experiments.report.energy_keys import ENERGY
from experiments.report.reference_keys import TOPOLOGY, VALIDATE
from experiments.report.traffic_keys import COMPARE, REQUEST_COLUMNS, TRAFFIC
from experiments.tables.columns import BREAKDOWN

_MODEL = {
    "model.name": "name of the model",
    "model.layers": "decoder blocks (encoder blocks of an encoder)",
    "model.parameters": "parameters, counted from the shapes of all tensors",
    "model.weight_bytes": "bytes of all weights with their scales, once",
    "model.weight_formats": "formats of weights: the checkpoint's, or the machine's",
    "model.kv_cache_format": "format of the KV cache, or of an encoder's keys",
}
_PLAN = {
    "plan.strategy": "the strategy as `--strategy` takes it",
    "plan.tensor": "chips of a tensor group",
    "plan.pipeline": "pipeline stages",
    "plan.data": "replicas",
    "plan.expert": "groups of experts within a tensor group",
    "plan.attention": "members that share the attention of a layer",
    "plan.layout": "1d or 2d: how feed-forward matrices lie on a group",
    "plan.routing": "worst, balanced or all: what is assumed of a router's choice",
    "plan.placement": "naive (chips in order) or auto",
    "plan.placement_gain_cycles": "cycles that placement saves against chips in order",
    "plan.chips_used": "chips that hold weights",
    "plan.fullest_chip_bytes": "SRAM taken on the fullest chip",
    "plan.sram_bytes_per_chip": "SRAM of a chip",
}
_RUN = {
    "run.engine": "simpy or replay",
    "run.seed": "seed of all random streams",
    "run.iterations": "iterations that ran, damaged ones included",
    "run.events": "events that SimPy takes for the run; the same number for replay",
    "run.wall_s": "wall time of the run, without planning and compilation",
    "run.peak_rss_bytes": "peak resident memory of the process",
    "run.realtime_factor": "simulated time / wall time",
    "run.trajectory_hash": "hash of every time of the run",
    "run.version": "version of groqrack-fabric",
}
SIMULATE = {
    "schema": "name and version of the document",
    "inputs": "the scenario, with every key that applies and its value",
    **_MODEL,
    "workload.name": "name of the workload (in place of a model)",
    "workload.operators": "operators of the graph",
    "workload.tensors": "tensors of the graph",
    "workload.weight_bytes": "bytes of all weights",
    "workload.macs": "multiply-accumulates of an iteration",
    "workload.read_bytes": "operands of all operators, each read once",
    "workload.written_bytes": "results of all operators",
    "workload.mxm_utilisation": "share of the matrix units' peak",
    "machine.name": "name of the machine",
    "machine.topology": "name of the topology",
    "machine.clock_hz": "cycles of a chip in a second",
    "machine.chips": "chips of the machine, idle ones included",
    "machine.active_chips": "chips that a plan may use; the others are spares",
    "machine.links": "cables; each is two directed links",
    "machine.diameter_hops": "most hops between two chips",
    "machine.mean_hops": "hops between two different chips, on average",
    **_PLAN,
    "plan.column": "parts into which columns of weights are cut (workloads)",
    "plan.row": "parts into which rows of weights are cut (workloads)",
    "schedule.instructions": "instructions of one iteration",
    "schedule.trains": "trains of one iteration, each hop counted",
    "schedule.vectors": "vectors of one iteration, each hop counted",
    "schedule.latency_cycles": "cycles of an iteration as scheduled",
    "schedule.turn_cycles": "cycles that a sequence waits for its next turn",
    "schedule.lower_bound_cycles": "cycles that no schedule of the plan can beat",
    "schedule.hidden_cycles": "cycles of exchanges beside computation, counted as such",
    "schedule.guard_cycles": "guard band of every receive",
    "schedule.deskew_interval_cycles": "longest time between two deskews, 0 for never",
    "schedule.sequence_interval_cycles": "initiation interval of sequences, 0 for one",
    "schedule.certificate": "hash of the verified schedule, null if chips never deskew",
    "schedule.checks": "cases that the verifier has checked",
    "iteration.count": "iterations that were delivered",
    "iteration.latency_ns.min": "shortest latency; null if nothing was delivered",
    "iteration.latency_ns.p50": "median latency",
    "iteration.latency_ns.p99": "99th percentile of the latency",
    "iteration.latency_ns.max": "longest latency",
    "iteration.latency_ns.mean": "mean latency",
    **{
        f"iteration.breakdown_cycles.{cause}": f"part of the latency: {text}"
        for cause, text in BREAKDOWN.items()
    },
    "iteration.breakdown_cycles.replay": "part of the latency: damaged attempts",
    "iteration.breakdown_cycles.failover": "part of the latency: failovers",
    "prefill.prompt_tokens": "positions of the prompt (only with `--prompt`)",
    "prefill.chunk_tokens": "positions of a chunk",
    "prefill.chunks": "chunks of the prompt",
    "prefill.latency_ns": "time of the pass, to the first token at the first stage",
    "prefill.period_cycles": "cycles until the prompts of all sequences have passed",
    "prefill.latency_cycles": "cycles of the pass as scheduled",
    "prefill.lower_bound_cycles": "cycles that no schedule of the pass can beat",
    **{
        f"prefill.breakdown_cycles.{cause}": f"part of the pass: {text}"
        for cause, text in BREAKDOWN.items()
    },
    "prefill.host_ns": "time of the host and its link before the pass",
    "prefill.alignment_ns": "time of the aligned start before the pass",
    "prefill.instructions": "instructions of the pass",
    "prefill.vectors": "vectors of the pass, each hop counted",
    "prefill.certificate": "hash of the verified schedule of the pass",
    "prefill.replays": "passes that were repeated",
    "prefill.trajectory_hash": "hash of every time of the pass",
    "buckets[].first_token": "first token that the program serves (with `--prompt`)",
    "buckets[].context_tokens": "positions for which the program was compiled",
    "buckets[].latency_cycles": "cycles of a token of this program",
    "buckets[].lower_bound_cycles": "cycles that no schedule of it can beat",
    "buckets[].certificate": "hash of the verified program",
    "token.tokens_per_s_per_user": "tokens/s per user (language models only)",
    "token.tokens_per_s_pipeline": "tokens/s of all users, in aggregate",
    "token.tokens_per_s_with_prompts": "of all users with prompts, null without",
    "token.time_to_first_token_ns": "host, aligned start, and prompt or first token",
    **{f"energy.{key}": text for key, text in ENERGY.items()},
    "faults.error_model": "independent or bursts",
    "faults.fec_corrected": "codewords that decoders repaired",
    "faults.fec_uncorrectable": "trains with a codeword that could not be repaired",
    "faults.replays": "iterations that were repeated",
    "faults.failovers": "times that the program moved to a spare node",
    "faults.tokens_lost": "tokens that were asked for and not delivered",
    "faults.trains_lost": "trains that never arrived",
    "faults.failover_us": "time of all failovers, the sum of their parts",
    "faults.failover_parts_us.detect": "until the hosts knew the bad node",
    "faults.failover_parts_us.load": "weights and programs from the hosts",
    "faults.failover_parts_us.bring_up": "counters aligned over the new tree",
    "faults.failover_parts_us.kv": "lost part of the KV cache restored",
    "faults.failover_parts_us.start": "aligned start of the moved program",
    "faults.missing": "tokens that are missing, by sequence, each with its reason",
    "violations.underflow": "trains that came after their receive",
    "violations.overflow": "trains that found their receive FIFO full",
    "violations.link_conflict": "trains that met on a link; the verifier excludes it",
    **_RUN,
    "run.alignment_epochs": "epochs of the aligned start",
    "run.alignment_ns": "time of the aligned start",
}

PLAN = {
    "schema": SIMULATE["schema"],
    "inputs": SIMULATE["inputs"],
    **_MODEL,
    **_PLAN,
    "search.objective": "latency, throughput, chips or energy (only with `auto`)",
    "search.candidates": "strategies in the space",
    "search.scored": "strategies with a closed-form bound",
    "search.planned": "strategies that were planned",
    "search.compiled": "strategies that were timed to the cycle",
    "search.latency_cycles": "cycles of a token of the best strategy, chips in order",
    "search.sequences": "its sequences in flight",
    "search.best_cost": "its cost, in the unit of the objective",
    "search.best_bound": "lower bound of the cost of every strategy",
    "search.best_bound_cycles": "lower bound: of the space for latency, else this plan",
    "search.gap": "by what fraction the best may be worse than the bound of the space",
    "search.wall_s": "wall time of the search",
    "lower_bound_cycles": "cycles of a token that no schedule of the plan can beat",
    "stages[].replica": "number of the replica",
    "stages[].stage": "number of the stage",
    "stages[].first_chip": "first chip of the stage",
    "stages[].chips": "chips of the stage",
    "stages[].layers": "layers of which it holds a part",
    "stages[].weight_bytes": "weights of all its chips",
    "stages[].kv_bytes": "KV cache of all its chips",
    "stages[].fullest_chip_bytes": "SRAM taken on its fullest chip",
}

COLLECTIVE = {
    "schema": SIMULATE["schema"],
    "collective": "what is done, such as all-reduce",
    "algorithm": "how: one-shot, two-step, ring, hierarchical or spread",
    "form": "variant of the algorithm, empty if it has one",
    "reason": "why this algorithm was chosen",
    "topology": "name of the topology",
    "chips": "members",
    "payload_bytes": "tensor on each member",
    "latency_ns": "first instruction to last",
    "network_latency_ns": "the same without adding up and deskews",
    "algbw_gb_per_s": "payload / latency, in 10^9 B/s",
    "busbw_gb_per_s": "what each chip must send or receive at least / latency",
    "vectors": "vectors of all messages",
    "vector_hops": "the same, each hop counted",
    "trains": "trains, each hop counted",
    **{
        f"breakdown_cycles.{cause}": f"part of the latency: {text}"
        for cause, text in BREAKDOWN.items()
    },
    "certificate": "hash of the verified schedule",
    "violations.underflow": SIMULATE["violations.underflow"],
    "violations.overflow": SIMULATE["violations.overflow"],
    **_RUN,
    "run.compile_s": "wall time of the compilation",
    "run.verify_s": "wall time of the proof",
}

EXECUTE = {
    "schema": SIMULATE["schema"],
    "model": "name of the model",
    "workload": "name of a workload, in place of a model, its tokens and programs",
    "topology": "name of the topology",
    "strategy": "the split",
    "iterations": "iterations of the workload that were executed",
    "differences.*": "largest difference of an output or state by its largest value",
    "tokens": "tokens that the chips chose, a list for each sequence of each replica",
    "reference_tokens": "tokens of the model computed in one piece",
    "largest_difference": "largest difference of a logit by the largest of its row; "
    "of a workload, of all outputs and states",
    "tolerance": "difference that is allowed",
    "agrees": "whether tokens are equal and the difference is allowed",
    "programs": "programs that were executed",
    "operations": "operations of all chips in them",
    "messages": "messages between chips in them",
    "wall_s": "wall time of compilations, executions and the reference",
    "version": "version of groqrack-fabric",
}

EXECUTE_COLLECTIVE = {
    **{name: COLLECTIVE[name] for name in ("schema", "collective", "algorithm")},
    **{name: COLLECTIVE[name] for name in ("form", "topology", "chips")},
    "payload_bytes": "bytes of the tensor, each of which has a drawn number",
    "largest_difference": "largest difference of a number by the largest of its slice",
    "tolerance": EXECUTE["tolerance"],
    "agrees": "whether the difference is allowed",
    "operations": "additions of all chips",
    "messages": "messages between chips",
    "wall_s": "wall time of the compilation, the execution and the reference",
    "version": EXECUTE["version"],
}

KEYS = {
    "groqrack simulate --json, summary.json": SIMULATE,
    "groqrack plan --json": PLAN,
    "groqrack collective --json": COLLECTIVE,
    "groqrack cost --json": COST,
    "groqrack execute --json": EXECUTE,
    "groqrack execute --collective --json": EXECUTE_COLLECTIVE,
    "groqrack topology --json": TOPOLOGY,
    "groqrack traffic --json, its summary.json": TRAFFIC,
    "groqrack compare --json": COMPARE,
    "groqrack validate --json": VALIDATE,
}
_RESULTS = """\
A row for each point, in the order of the sweep: the swept keys as the sweep file names
them; then every single value of `groqrack simulate --json` under its dotted name,
except `schema`, `inputs`, lists, and what differs between two runs on one computer
(`run.wall_s`, `run.peak_rss_bytes`, `run.realtime_factor`); last `feasible` (whether
the
point ran) and `reason` (why not). A value that a point does not have is empty."""


def keys_page() -> str:
    """Return docs/summary_keys.md: every key of every JSON report, and results.csv."""
    lines = [
        "# JSON keys, and the columns of results.csv",
        "",
        "Keys are a contract: they keep their name, unit and meaning. This page is",
        "generated from `experiments/report/json_keys.py`; a test keeps it up to date.",
        "A dot joins objects, `[]` is an object of a list, `*` is any key.",
    ]
    for command, keys in KEYS.items():
        lines += ["", f"## {command}", "", "| key | meaning |", "| --- | --- |"]
        lines += [f"| `{key}` | {text} |" for key, text in keys.items()]
    lines += ["", "## results.csv of a sweep", "", _RESULTS]
    lines += ["", "## requests.csv of traffic", ""]
    lines += ["| column | meaning |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in REQUEST_COLUMNS.items()]
    return "\n".join(lines) + "\n"
