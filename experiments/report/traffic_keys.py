"""JSON keys of ``groqrack traffic`` and of a search for goodput, with their meaning."""

_LATENCIES = {
    "ttft": "time to the first token",
    "tpot": "time per output token after the first",
    "itl": "time from a token to the next",
    "e2el": "time to the last token",
    "queue": "time on the chips until the first pass starts",
}
_MEASURES = {
    "mean": "mean",
    "median": "median",
    "std": "standard deviation",
    **{f"p{each}": f"percentile {each}" for each in (50, 90, 95, 99)},
}

TRAFFIC = {
    "schema": "name and version of this format",
    "inputs": "the traffic file, with options applied",
    "frame.policy": "how prompts share the pipeline",
    "frame.pace": "whose pace the stages keep, with windows",
    "frame.slots": "decode slots of a frame",
    "frame.windows": "prompt windows of a frame",
    "frame.chunk_tokens": "positions of a window",
    "frame.context_tokens": "longest context of a sequence",
    "frame.frame_cycles": "length of a frame: the time per token of every sequence",
    "frame.slot_cycles": "from a slot to the next",
    "frame.window_cycles": "from a window to the next",
    "frame.pass_cycles": "from a prompt's last window until its token is chosen",
    "frame.token_cycles": "from the start of a slot until its token is chosen",
    "frame.tokens_per_s_per_user": "tokens/s of a sequence",
    "frame.tokens_per_s": "tokens/s of all slots",
    "frame.tokens_per_s_without_prompts": "the same if frames had no windows",
    "frame.prompt_tokens_per_s": "positions/s of all windows, null without windows",
    "frame.decode_certificates": "certificate of each context bucket's decode program",
    "frame.chunk_certificates": "certificate of each context bucket's chunk program",
    "pairing.kind": "none, or prefill: prompts on devices beside the machine",
    "pairing.device": "name of the devices, null without; so the shares below",
    "pairing.devices": "number of devices",
    "pairing.devices_utilisation": "share of the time for which they computed prompts",
    "pairing.link_utilisation": "share of the time for which caches crossed the link",
    "pairing.sent_bytes": "bytes of caches that left the devices",
    "pairing.received_bytes": "bytes of caches that the chips decoded with",
    "chips": "chips of all replicas",
    "completed": "requests that were served",
    "failed": "requests that were not, those that failed in the trace among them",
    "outcomes.*": "requests by outcome",
    "total_input": "positions of the prompts that were served",
    "total_output": "tokens of the answers",
    "cached_input": "positions of the prompts that a cache held",
    "duration_s": "time from the first arrival to the last token",
    "request_throughput": "requests per second",
    "request_goodput": "requests per second that met all objectives",
    "slo_attainment": "share of requests that met all objectives",
    "output_throughput": "tokens of answers per second",
    "total_token_throughput": "tokens of prompts and answers per second",
    "max_concurrent_requests": "most requests between arrival and last token at a time",
    **{
        f"{measure}_{name}_ms": f"{of} of the {text}, in ms; null without requests"
        for name, text in _LATENCIES.items()
        for measure, of in _MEASURES.items()
    },
    "cv_tpot": "std_tpot_ms / mean_tpot_ms",
    "offered_load": "windows or slots that are asked for while requests come, of those "
    "there are; null if all come at once",
    "window_utilisation": "share of the windows that were used",
    "slot_utilisation": "share of the time for which slots were held",
    "waiting_at_last_arrival": "requests that had not started at the last arrival",
    "saturation": "STABLE, BACKLOGGED or OVERLOADED",
    "run.engine": "timetable or simpy",
    "run.seed": "seed of all chance",
    "run.compile_s": "wall time of planning, compilation and verification",
    "run.wall_s": "wall time of serving",
    "run.version": "version of this program",
}

REQUEST_COLUMNS = {
    "request": "number of the request, in order of arrival",
    "class": "number of its class",
    "tenant": "number of its organisation",
    "tier": "service tier",
    "model": "model that served it",
    "replica": "replica that served it, -1 if it was refused",
    "slot": "its decode slot, -1 if it had none",
    "arrival_ps": "when it was at the host",
    "admitted_ps": "when its first pass started; here and below -1 if it was refused",
    "first_token_ps": "when its first token was at the host",
    "end_ps": "when its last token was at the host",
    "prompt_tokens": "positions of its prompt",
    "cached_tokens": "positions of its prompt that needed no pass",
    "restored_tokens": "positions of its prompt that the hosts restored",
    "output_tokens": "tokens of its answer",
    "queue_ps": "from when its prompt was on the chips until admitted_ps",
    "ttft_ps": "first_token_ps - arrival_ps",
    "tpot_ps": "(end_ps - first_token_ps) / (output_tokens - 1), rounded down",
    "e2el_ps": "end_ps - arrival_ps",
    "outcome": "completed, rate_limited, no_capacity or too_long",
    "slo_met": "whether it was completed within all objectives",
}

_SIDES = {"run": "the first file", "measured": "the second file"}
COMPARE = {
    "schema": TRAFFIC["schema"],
    **{
        key: text
        for side, file in _SIDES.items()
        for key, text in {
            f"{side}.file": f"name of {file}",
            f"{side}.tool": "what wrote it",
            f"{side}.definitions.*": "how it defines a metric, or one statistic of it",
            f"{side}.names.*": "what it calls a metric",
        }.items()
    },
    "metrics[].metric": "what is compared",
    "metrics[].statistic": "mean or a percentile; rates, counts and lengths: mean",
    "metrics[].unit": "unit of the values, ms or per second",
    "metrics[].run": "value of the first file, null if it has none",
    "metrics[].measured": "value of the second file, null if it has none",
    "metrics[].difference": "measured - run, null if either is",
    "metrics[].relative": "difference / run, null if run is 0",
    "metrics[].same_definition": "whether both tools mean the same by it",
    "remarks": "other names and definitions, other loads, and what a file lacks",
}
