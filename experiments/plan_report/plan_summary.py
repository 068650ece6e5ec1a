"""Summary of a plan as a JSON document; the keys are a contract."""

from dataclasses import asdict
from typing import Any

from compiler.cost.roofline import lower_bound_cycles
from compiler.search.objective import Objective
from experiments.report.subjects import inputs_block, model_facts, plan_facts
from experiments.run.preparation import Prepared, Searched


def plan_summary(prepared: Prepared) -> dict[str, Any]:
    """Return the JSON report of a plan, as ``groqrack plan --json`` prints it."""
    searched = prepared.searched
    return {
        "schema": "groqrack-fabric/plan/1",
        "inputs": inputs_block(prepared.scenario),
        "model": asdict(model_facts(prepared)),
        "plan": plan_facts(prepared).document(),
        **({"search": search_block(searched)} if searched else {}),
        "lower_bound_cycles": lower_bound_cycles(prepared.plan),
        "stages": [
            {
                "replica": stage.replica,
                "stage": stage.index,
                "first_chip": int(stage.chips[0]),
                "chips": len(stage.chips),
                "layers": stage.layers,
                "weight_bytes": int(stage.memory.weights.sum()),
                "kv_bytes": int(stage.memory.kv_cache.sum()),
                "fullest_chip_bytes": int(stage.memory.total.max()),
            }
            for stage in prepared.plan.stages
        ],
    }


def search_block(searched: Searched) -> dict[str, Any]:
    """Return the search block of a plan's JSON report: candidates, best cost, bound."""
    found = searched.found
    best = found.compiled[0]
    return {
        "objective": str(found.objective),
        "candidates": found.candidates,
        "scored": found.scored,
        "planned": found.planned,
        "compiled": len(found.compiled),
        "latency_cycles": best.latency_cycles,
        "sequences": best.sequences,
        "best_cost": best.cost.first,
        "best_bound": found.bound,
        # Of the token: the bound itself where latency is sought, else this plan's.
        "best_bound_cycles": int(found.bound)
        if found.objective is Objective.LATENCY
        else found.schedule.lower_bound_cycles,
        "gap": found.gap,
        "wall_s": searched.wall_s,
    }
