"""Data dictionary of all tables: the meaning and the unit of each column."""

from typing import Any

# A row of a table before it becomes a DataFrame: values of JSON's types by column.
TableRow = dict[str, Any]

BREAKDOWN = {
    "compute": "arithmetic and memory on the chips of the working stage",
    "link": "the shortest possible travel time of vectors: SRAM to wire, train, "
    "flight, FIFO to SRAM; "
    "after a failover also what the new routes add",
    "guard": "guard bands: jitter span, drift and counter error of every hop",
    "alignment": "waiting for an aligned start, after the first one",
    "deskew": "RUNTIME_DESKEWs of the working stage, and the drift they remove",
    "fec": "decoding forward error correction beyond the measured link latency",
    "wait": "vectors waiting for a wire, and chunks of a prompt for those ahead",
}

COLUMNS: dict[str, dict[str, str]] = {
    "tokens": {
        "token": "number of the token in its sequence",
        "sequence": "number of the sequence in flight",
        "context_tokens": "positions in the KV cache that the token attends to",
        "start_ps": "global time at which its first attempt began",
        "end_ps": "global time at which it was back at the first stage",
        "latency_ps": "end_ps - start_ps",
        **{
            f"{name}_ps": f"part of the latency: {text}"
            for name, text in BREAKDOWN.items()
        },
        "replay_ps": "part of the latency: earlier attempts that were damaged",
        "failover_ps": "part of the latency: a failover, from the stop of all chips "
        "to the new start",
        "attempts": "iterations that the token took, 1 if nothing was damaged",
    },
    "links": {
        "link": "number of the directed link; 2k and 2k + 1 are one cable",
        "source": "chip that sends",
        "target": "chip that receives",
        "level": "local (in a node), rack (between nodes) or global (between racks)",
        "length_m": "length of the cable in metres",
        "vectors": "vectors carried in the run",
        "bytes": "payload carried in the run, whole vectors",
        "busy_ps": "time for which the wire was taken",
        "utilisation": "busy_ps as a fraction of the run",
        "min_slack_cycles": "least time a vector lay in the FIFO before it was taken, "
        "in nominal cycles; negative if it was late, empty if nothing came",
        "fec_corrected": "codewords that the decoder repaired",
        "fec_uncorrectable": "trains with a codeword that it could not repair",
        "trains_lost": "trains that never came: the link or a chip was out of order",
    },
    "chips": {
        "chip": "number of the chip",
        "rack": "number of its rack",
        "node": "number of its node in the machine",
        "slot": "place in its node",
        "stage": "pipeline stage, -1 if the chip holds no weights",
        "layers": "layers of which it holds a slice, or embedding or head",
        "weight_bytes": "weights in its SRAM",
        "kv_bytes": "KV cache in its SRAM, all sequences at full context, with what it "
        "mirrors; or a workload's states",
        "activation_bytes": "largest set of activations alive at once",
        "program_bytes": "SRAM set aside for program text",
        "free_bytes": "SRAM left",
        "busy_cycles": "cycles of one token in which its MXM or VXM works",
        "ppm": "how far its crystal is from nominal, in parts per million",
        "max_skew_ps": "largest drift that one RUNTIME_DESKEW removed, either way",
    },
    "plan": {
        "chip": "chip that holds the slice",
        "replica": "replica that the chip belongs to",
        "stage": "its pipeline stage",
        "layer": "layer of the tensor; -1 the embedding, the number of layers the "
        "head; of a workload, the operator that takes it first",
        "tensor": "name as in the checkpoint",
        "row_start": "first row (output feature)",
        "row_end": "row after the last",
        "column_start": "first column (input feature)",
        "column_end": "column after the last",
        "bytes": "bytes of the slice in the format of the weights",
    },
    "stages": {
        "replica": "replica that the stage belongs to",
        "stage": "number of the pipeline stage",
        "chips": "chips in its tensor group",
        "first_chip": "the first of them",
        "layers": "layers of which it holds a part, or embedding or head",
        "feed_forward_share": "feed-forwards held, in whole layers",
        "fullest_chip_bytes": "bytes in use on its fullest chip",
        "stage_cycles": "cycles from its first vector to its last",
    },
    "timeline": {
        "entry": "number of the operator or phase, in the order of its replica",
        "replica": "replica that it belongs to",
        "stage": "pipeline stage that computes or sends",
        "kind": "lookup, vector or matmul of an operator; exchange of a phase",
        "name": "name of the operator or phase",
        "first_chip": "first chip that takes part, or that sends",
        "start_cycle": "cycle of the token at which it starts",
        "duration_cycles": "until the last of its chips is done, or its last vector "
        "in SRAM",
        "hidden_cycles": "of an exchange: cycles beside a computation of its replica, "
        "which cost nothing",
        "path_cycles": "cycles of the token that count for it: those that it does not "
        "share, or shares as the first; computation comes before exchange",
    },
    "schedule": {
        "chip": "chip that executes the instruction",
        "slice": "functional slice",
        "port": "chip-to-chip port, -1 for other slices",
        "opcode": "what the instruction does",
        "start_cycle": "program cycle at which it starts; a SEND with its first vector "
        "on the wire, a RECEIVE with its first vector leaving the FIFO",
        "duration_cycles": "cycles for which the slice is taken",
        "operator": "number of the operator in program order, -1 for marks",
        "name": "name of the operator",
        "train": "number of the train that is sent or received, -1 if none",
        "link": "directed link of the train, -1 if none",
        "vectors": "vectors of the train, 0 if none",
    },
    "sram": {
        "chip": "number of the chip: those of the trace (`--trace-chips`), and the one "
        "with least free",
        "cycle": "program cycle from which on this is so, until the chip's next row",
        "weight_bytes": "weights",
        "kv_bytes": "KV cache, all sequences at full context",
        "activation_bytes": "its shard of the residual stream, what operators have "
        "made or exchanges brought and is still to be read, and vectors to pass on",
        "program_bytes": "SRAM set aside for program text",
        "free_bytes": "SRAM left; one sequence is on its way",
    },
    "failovers": {
        "sequence": "sequence whose token failed",
        "iteration": "number of the attempt that failed for the second time, -1 if a "
        "pass that restored the KV cache did",
        "token": "number of the token",
        "link": "directed link that failed twice, -1 if it was the chip itself",
        "chip": "chip that sends on it, or that stopped",
        "bad_node": "the chip's node, not used from then on",
        "spare_node": "node of the same rack that stands in for it, -1 if none has to",
        "stopped_ps": "global time at which all had ended what they had begun",
        "detect_ps": "until the hosts knew the bad node: status of the chips read, a "
        "chip that does not answer given up, hosts agreed",
        "loaded_bytes": "bytes that all chips got from their hosts: weights and "
        "programs",
        "load_ps": "how long that took: the chip that got most, at the rate of its "
        "host",
        "bring_up_ps": "bring-up of the counters over the links of the new tree, until "
        "all had settled",
        "kv_bytes": "KV cache that was lost with the bad node",
        "kv_passes": "passes of the programs that restored it, of all sequences; more "
        "than one of each if some were damaged",
        "kv_ps": "how long that took, with its aligned start: recomputed, or copied "
        "from the mirrors (`failover.kv_cache`)",
        "start_ps": "aligned start of the moved program, 0 if the next failover came "
        "first",
        "resumed_ps": "global time at which the program went on, or at which the next "
        "failover began",
        "duration_ps": "resumed_ps - stopped_ps: the sum of the five parts",
    },
}

# Columns that follow the others if the scenario has a prompt.
PROMPT_COLUMNS: dict[str, dict[str, str]] = {
    "tokens": {
        "bucket_tokens": "behind a prompt only: context that the program which ran is "
        "compiled for"
    }
}

# Of the file that `groqrack plan --pareto --out plan.csv` writes beside the plan.
FRONT_COLUMNS: dict[str, str] = {
    "strategy": "the split, as `--strategy` takes it",
    "tensor": "chips of a tensor group",
    "pipeline": "stages",
    "chips": "chips that are used",
    "sequences": "sequences in flight",
    "latency_us": "from a token to the next of the same sequence, in us; of a bound, "
    "at least",
    "tokens_per_s_all_users": "tokens of all sequences, or passes of an encoder, in a "
    "second; of a bound, at most",
    "state": "front (on it), beaten (known to the cycle, another is at least as good "
    "in all), or bound (not looked at, may be on the front)",
}


def markdown() -> str:
    """Return the data dictionary of all tables as Markdown, file by file."""
    lines = [
        "# Columns",
        "",
        "What a run leaves in `--out DIR`, column by column. This page is generated",
        "from `experiments/tables/columns.py`; a test keeps it up to date.",
    ]
    for table, columns in COLUMNS.items():
        suffix = "csv.gz" if table == "schedule" else "csv"
        lines += [
            "",
            f"## {table}.{suffix}",
            "",
            *_HEAD,
        ]
        described = {**columns, **PROMPT_COLUMNS.get(table, {})}
        lines += _rows(described)
    lines += [
        "",
        "## plan_pareto.csv",
        "",
        "Beside `plan.csv` of `groqrack plan --pareto --out plan.csv`.",
        "",
        *_HEAD,
        *_rows(FRONT_COLUMNS),
    ]
    return "\n".join(lines) + "\n"


_HEAD = ("| column | meaning |", "| --- | --- |")


def _rows(columns: dict[str, str]) -> list[str]:
    """Return the rows of a Markdown table of columns with their meaning."""
    return [f"| `{name}` | {text} |" for name, text in columns.items()]
