"""JSON keys of ``groqrack cost``, with their meaning and unit."""

_RANGE = "from the cheapest to the dearest reading; null: not computed"
_SHARED = {
    "usd_per_hour": "$ per hour",
    "input_usd_per_m_tokens": "$ per million positions of prompts, by stage time",
    "output_usd_per_m_tokens": "$ per million tokens of answers, by stage time",
    "usd_per_user_hour": "$ per hour of one request that is always under way",
}

COST = {
    "schema": "name and version of this format",
    "inputs": "the traffic file or the scenario, with options applied",
    "saturation": "of the traffic, as `groqrack traffic` has it; null without traffic",
    "hardware": "name of the hardware in the prices; null if it has none",
    "loads[].kind": "traffic; full frames: every slot and window, all the time; full "
    "pipeline: every slot, no prompts",
    "loads[].model": "name of the model",
    "loads[].machine": "name of the machine",
    "loads[].strategy": "the split",
    "loads[].chips": "chips of all replicas",
    "loads[].input_tokens_per_s": "positions of prompts per second",
    "loads[].output_tokens_per_s": "tokens of answers per second",
    "loads[].users": "requests between arrival and last token, in the mean",
    "loads[].input_share": "share of prompts in the stage time that is used; null if "
    "they run elsewhere",
    "loads[].average_power_w": "power of chips and optics at the load; null: "
    "unpublished",
    "loads[].idle_power_w": "the same with nothing to do",
    "loads[].tdp_power_w": "the same with chips at their thermal design power",
    "loads[].parts_usd_per_hour.*": f"$ per hour of a part, {_RANGE}",
    **{f"loads[].all_parts.{k}": f"all parts: {t}" for k, t in _SHARED.items()},
    **{
        f"loads[].known_parts.{k}": f"the parts that are known, at least: {t}"
        for k, t in _SHARED.items()
    },
    "loads[].device_power_w": "power of devices over all hours",
    "loads[].power_w": "power of the building: devices, hosts, racks, cooling",
    "loads[].output_token_j": "energy of devices over tokens of answers",
    "loads[].output_tokens_per_j": "tokens of answers per joule of devices",
    "loads[].tokens_per_j": "positions of prompts and tokens of answers per joule",
    "loads[].output_tokens_per_s_per_mw": "tokens of answers per second and megawatt "
    "of devices",
    "loads[].facility_output_tokens_per_j": "tokens of answers per joule of the "
    "building",
    "missing": "values that are needed and not published",
    "list_prices[].provider": "whose API",
    "list_prices[].model": "model that it serves",
    "list_prices[].input_usd": "$ charged for a million tokens of prompts",
    "list_prices[].output_usd": "$ charged for a million tokens of answers",
    "list_prices[].source": "key in sources",
    "list_prices[].date": "when it was charged",
    "prices.*": "readings of a value that was used: value, source, date, note",
    "sources.*": "document: title, publisher, date",
    "run.version": "version of groqrack-fabric",
}
