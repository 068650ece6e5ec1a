"""Case of a pairing: a model, a machine and devices; and a point of its results."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, final

import numpy as np

from experiments.tables.columns import TableRow
from serving.pairing.prefill import crossing_bytes_per_token, device_prompt_ps
from sharding.parallelism.strategy import Strategy, parse_strategy
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec, load_model
from specs.pairing import PairingSpec, load_pairing
from specs.units import PS_PER_S
from topologies.selection import select_topology
from topologies.topology import Topology


class Traffic(NamedTuple):
    """What each user of a paired machine asks for: lengths of prompt and answer."""

    context: int
    prompt: int
    answer: int


TRAFFIC = Traffic(context=4096, prompt=1024, answer=256)


@final
@dataclass(frozen=True, kw_only=True)
class Case:
    """A model on a machine paired with devices.

    Parameters
    ----------
    model, machine, chips, strategy
        What decodes here.
    feed_forwards
        Splits of the group of chips that has a layer's feed-forward, if attention is on
        the devices; the fastest for each batch is taken.
    pairing
        Devices and link, by name or file.
    draft, draft_chips, draft_strategy
        The model that drafts on the machine, and where; empty without.
    chunk_tokens
        Positions of a prompt that the machine computes together; 0 if it computes none.
    slots
        Sequences in flight on the machine.
    """

    model: str
    machine: str
    chips: int
    strategy: str
    feed_forwards: tuple[str, ...]
    pairing: str
    draft: str = ""
    draft_chips: int = 0
    draft_strategy: str = ""
    chunk_tokens: int = 64
    slots: int = 1

    @cached_property
    def spec(self) -> ModelSpec:
        """The model."""
        return load_model(self.model)

    @cached_property
    def hardware(self) -> MachineSpec:
        """The machine."""
        return load_machine(self.machine)

    @cached_property
    def pair(self) -> PairingSpec:
        """Devices and link."""
        return load_pairing(self.pairing)

    @cached_property
    def topology(self) -> Topology:
        """The wiring of the machine."""
        return self.wiring(self.chips)

    def wiring(self, chips: int) -> Topology:
        """Return the wiring of so many chips of the machine."""
        kind = self.hardware.system.topology
        return select_topology(chips, kind, ports_per_chip=self.hardware.chip.ports)

    @property
    def placed(self) -> Ints:
        """Return the chips in the order of use."""
        return self.topology.active.astype(np.int64)

    def task(self, strategy: Strategy, batch: int) -> Task:
        """Return the task of decoding a batch."""
        plain = Task(self.spec, self.hardware, strategy.tensor, TRAFFIC.context, batch)
        return plain.split_as(strategy)

    def split(self, text: str) -> Strategy:
        """Return a strategy of the machine's chips."""
        return parse_strategy(text, self.chips)

    def paired_with(self, **values: object) -> "Case":
        """Return the case with other values of its pairing."""
        changed = replace(self)
        changed.__dict__["pair"] = self.pair.model_copy(update=values)
        return changed

    @cached_property
    def prompt_ps(self) -> int:
        """Mean time of a prompt on the devices, which take them one by one, in ps."""
        task = self.task(self.split(self.strategy), 1)
        return device_prompt_ps(task, self.pair, TRAFFIC.prompt)

    @cached_property
    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values of a prompt's position that cross the link.

        Each crosses once, also if several chips keep it.
        """
        task = self.task(self.split(self.strategy), 1)
        return crossing_bytes_per_token(task, TRAFFIC.prompt)

    def power_mw(self, *, chips: int, devices: int) -> float | None:
        """Return the thermal design power in 10^6 W; None if one is not published."""
        chip_w, device_w = self.hardware.power.chip_tdp_w, self.pair.peaks.tdp_w
        if (chips and chip_w is None) or (devices and device_w is None):
            return None
        return (chips * (chip_w or 0) + devices * (device_w or 0)) / 1e6


@final
@dataclass(frozen=True, kw_only=True)
class Point:
    """A point of a pairing: so many users, and what they and both sides see.

    Parameters
    ----------
    kind, drafter
        The way to decode; ``devices`` for devices without a machine.
    users, lanes
        Users, and groups of them that take turns.
    step_ps, tokens_per_step
        Time of a step of a user, and the tokens that it has then.
    chips, devices
        Those that are needed.
    machine_busy, devices_busy, link_busy
        Shares of time in which each side, and the busier direction of the link, is at
        work.
    link_bytes_per_token
        Bytes that cross for each token, both ways together.
    """

    kind: str
    users: int
    step_ps: float
    chips: int
    devices: int
    drafter: str = ""
    lanes: int = 1
    tokens_per_step: float = 1.0
    machine_busy: float | None = None
    devices_busy: float | None = None
    link_busy: float | None = None
    link_bytes_per_token: float = 0.0

    @property
    def per_user(self) -> float:
        """Return the tokens per second of a user."""
        return self.tokens_per_step / self.step_ps * PS_PER_S

    def row(self, case: Case) -> TableRow:
        """Return the point as the experiment's row of a case."""
        total = self.users * self.per_user
        power = case.power_mw(chips=self.chips, devices=self.devices)

        def idle(busy: float | None) -> float | None:
            return None if busy is None else max(0.0, 1 - busy)

        return {
            "model": case.model,
            "machine": case.machine,
            "pairing": case.pairing,
            "kind": self.kind,
            "drafter": self.drafter,
            "chips": self.chips,
            "devices": self.devices,
            "lanes": self.lanes,
            "users": self.users,
            "tokens_per_s_per_user": self.per_user,
            "tokens_per_s": total,
            "power_mw": power,
            "tokens_per_s_per_mw": None if power is None else total / power,
            "machine_idle_share": idle(self.machine_busy),
            "devices_idle_share": idle(self.devices_busy),
            "link_idle_share": idle(self.link_busy),
            "link_bytes_per_token": self.link_bytes_per_token,
            "feasible": True,
            "reason": "",
        }
