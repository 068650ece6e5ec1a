"""Failover planning: the program compiled anew for the rack's spare node."""

from dataclasses import replace
from typing import final

import numpy as np

from chip.program import Program
from compiler.compile_decode import compile_token
from compiler.compile_graph import compile_workload
from compiler.verify import verify
from experiments.run.kv_restoration import restorations
from experiments.run.preparation import Prepared
from experiments.run.workload import PreparedWorkload
from fabric.faults.spares import Moved, Restoration
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from specs.arrays import Ints
from specs.errors import PlanError
from topologies.outage import Outage
from topologies.topology import Topology

Plan = ShardingPlan | WorkloadPlan


@final
class SpareNodes:
    """The spare nodes of a machine, and the plan that moves to them.

    The moved plan is the same split; only chips of bad nodes are exchanged for those
    at the same places of a spare node of their rack. Routes, and so all programs,
    change with it. Each is compiled and proven once, however many runs move to it.

    Parameters
    ----------
    prepared
        The scenario with its plan.
    """

    def __init__(self, prepared: Prepared | PreparedWorkload) -> None:
        self._prepared = prepared
        self._proven: dict[tuple[tuple[int, ...], Outage], tuple[Plan, Program]] = {}
        self._restored: dict[
            tuple[tuple[int, ...], tuple[int, ...], Outage], tuple[Restoration, ...]
        ] = {}

    def moved(
        self, bad_nodes: tuple[int, ...], outage: Outage, before: Moved | None
    ) -> Moved:
        """Return the program without the bad nodes, which are in order of failure.

        Raises
        ------
        RackError
            If a rack has no spare node left that works, or no schedule holds.
        """
        topology = self._prepared.topology
        stands_in, spare_node = self._stands_in(bad_nodes, outage)
        places = zip(topology.node.tolist(), topology.slot.tolist(), strict=True)
        chip_at = {place: chip for chip, place in enumerate(places)}
        held_by = topology.active.tolist() if before is None else list(before.chips)
        chips = [
            chip_at[stands_in.get(node, node), slot]
            for node, slot in zip(
                topology.node[topology.active].tolist(),
                topology.slot[topology.active].tolist(),
                strict=True,
            )
        ]
        moved, program = self._proven_on(tuple(chips), outage)
        still_lost = () if before is None else before.lost
        lost = tuple(
            chip
            for chip, held in zip(chips, held_by, strict=True)
            if chip != held or held in still_lost
        )
        restored = self._restored_on(moved, program, lost, outage)
        loaded = self._loaded_bytes(
            moved, dict(zip(chips, held_by, strict=True)), restored
        )
        return Moved(
            program=program,
            chips=tuple(chips),
            spare_node=spare_node,
            loaded_bytes=int(loaded.sum()),
            most_loaded_bytes=int(loaded.max()),
            lost=lost,
            restorations=restored,
        )

    def _restored_on(
        self, moved: Plan, program: Program, lost: tuple[int, ...], outage: Outage
    ) -> tuple[Restoration, ...]:
        """Return what restores the KV cache of lost chips; a workload has none."""
        if not lost or isinstance(moved, WorkloadPlan):
            return ()
        chips = tuple(int(chip) for stage in moved.stages for chip in stage.chips)
        key = chips, lost, outage
        if key not in self._restored:
            prepared = self._prepared
            self._restored[key] = restorations(
                moved,
                program,
                frozenset(lost),
                prepared.topology,
                outage=outage,
                chunk_tokens=prepared.scenario.prefill_chunk,
            )
        return self._restored[key]

    def _proven_on(
        self, chips: tuple[int, ...], outage: Outage
    ) -> tuple[Plan, Program]:
        """Return the plan with its parts on other chips, in order, and its program."""
        if (chips, outage) not in self._proven:
            prepared = self._prepared
            now_on = np.arange(prepared.topology.chips)
            now_on[prepared.topology.active] = chips
            moved, program = _compiled_on(
                prepared.plan, now_on, prepared.topology, outage
            )
            verify(program, prepared.topology, prepared.machine, outage, plan=moved)
            self._proven[chips, outage] = moved, program
        return self._proven[chips, outage]

    def _stands_in(
        self, bad_nodes: tuple[int, ...], outage: Outage
    ) -> tuple[dict[int, int], int]:
        """Return which spare node stands in for each bad node, and for the latest.

        That is -1 if the latest one holds nothing and only had links to forward on. A
        spare node may have turned bad in its turn: then the next one follows it.
        """
        topology = self._prepared.topology
        used = set(topology.node[topology.active].tolist())
        rack_of = dict(zip(topology.node.tolist(), topology.rack.tolist(), strict=True))
        out_of_order = {int(topology.node[chip]) for chip in outage.chips}
        broken_before = sorted(out_of_order - set(bad_nodes))
        idle = [node for node in rack_of if node not in used.union(broken_before)]
        stands_in: dict[int, int] = {}
        latest = -1
        # The last to fail is dealt with last, so that it is known at the end.
        for node in [*bad_nodes[:-1], *broken_before, bad_nodes[-1]]:
            origin = node if node in used else _origin(stands_in, node)
            if origin is None:
                # It held nothing; now it can hold nothing any more.
                idle = [other for other in idle if other != node]
                latest = -1
                continue
            free = [n for n in idle if rack_of[n] == rack_of[node]]
            if not free:
                raise PlanError(
                    f"rack {rack_of[node]} has no spare node left for node {node}; "
                    f"keep more nodes idle (spares={self._prepared.machine.spares + 1})"
                )
            idle.remove(free[0])
            stands_in.pop(origin, None)
            stands_in[origin] = latest = free[0]
        return stands_in, latest

    def _loaded_bytes(
        self,
        moved: Plan,
        held_by: dict[int, int],
        restored: tuple[Restoration, ...],
    ) -> Ints:
        """Return what each chip of the moved plan gets from the host.

        A chip that takes over a slice loads its weights, or those and the states of a
        workload. Every chip loads its new program, and before it the program of each
        restoration in which it works. `held_by` says who had each chip's slices.
        """
        loaded = np.zeros(self._prepared.topology.chips, dtype=np.int64)
        program = self._prepared.machine.chip.program_reserve_bytes
        for stage in moved.stages:
            fresh = [held_by[chip] != chip for chip in stage.chips.tolist()]
            slices = stage.memory.weights
            if isinstance(moved, WorkloadPlan):
                slices = slices + stage.memory.kv_cache
            loaded[stage.chips] = program + np.where(fresh, slices, 0)
        for restoration in restored:
            loaded[np.unique(restoration.program.instructions.chip)] += program
        return loaded


def _compiled_on(
    plan: Plan, now_on: Ints, topology: Topology, outage: Outage
) -> tuple[Plan, Program]:
    """Return a running plan with each chip's part on another, and its program there."""
    if isinstance(plan, WorkloadPlan):
        groups = tuple(
            replace(stage, chips=now_on[stage.chips]) for stage in plan.stages
        )
        regrouped = replace(plan, stages=groups)
        return regrouped, compile_workload(regrouped, topology, outage).program
    stages = tuple(replace(stage, chips=now_on[stage.chips]) for stage in plan.stages)
    restaged = replace(plan, stages=stages)
    return restaged, compile_token(restaged, topology, outage).program


def _origin(stands_in: dict[int, int], spare: int) -> int | None:
    """Return the node that a spare one stands in for in a run, None if for none."""
    return next((node for node, own in stands_in.items() if own == spare), None)
