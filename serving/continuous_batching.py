"""Continuous batching: a server that decodes all its sequences together, as GPUs do.

A step law says how long a step takes with so many sequences that decode and so many
positions of prompts; jitter is drawn. It is an assumption that stands beside a
timetable, not a model of a GPU.
"""

from collections import deque
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from serving.requests.request_table import RequestTable
from specs.arrays import Ints
from specs.step_law import StepLaw
from specs.units import PS_PER_US


class Batched(NamedTuple):
    """When requests on such a server had their first and last token, in ps.

    Arrays of shape ``(requests,)``.
    """

    first_token_ps: Ints
    end_ps: Ints


def serve_batched(
    requests: RequestTable, law: StepLaw, *, servers: int = 1, seed: int = 1
) -> Batched:
    """Return the tokens of requests on servers with continuous batching.

    A request goes to the next server in turn. Each step gives a token to every
    sequence, and computes positions of the oldest prompts beside them.

    Parameters
    ----------
    requests
        What users ask for.
    law
        How long a step takes.
    servers
        Number of servers.
    seed
        Seed of the jitter.
    """
    batched = Batched(*(np.zeros(requests.size, dtype=np.int64) for _ in range(2)))
    seeds = np.random.SeedSequence(seed).spawn(servers)
    for server, own_seed in enumerate(seeds):
        own = np.arange(server, requests.size, servers)
        _serve(own.tolist(), requests, law, np.random.default_rng(own_seed), batched)
    return batched


def _serve(
    own: list[int],
    requests: RequestTable,
    law: StepLaw,
    random: np.random.Generator,
    batched: Batched,
) -> None:
    """Serve the requests of one server, step by step."""
    coming = deque(own)
    prompts: deque[list[int]] = deque()
    # Last step of each sequence that decodes: a sequence gets a token in every step.
    decoding: list[tuple[int, int]] = []
    now = step = 0
    while coming or prompts or decoding:
        if not prompts and not decoding:
            now = max(now, int(requests.arrival_ps[coming[0]]))
        while coming and requests.arrival_ps[coming[0]] <= now:
            request = coming.popleft()
            prompts.append([request, int(requests.prompt_tokens[request])])
        room, positions = law.step_positions, 0
        done: list[int] = []
        while prompts and room and len(decoding) + len(done) < law.most_sequences:
            taken = min(room, prompts[0][1])
            prompts[0][1] -= taken
            room -= taken
            positions += taken
            if not prompts[0][1]:
                done.append(prompts.popleft()[0])
        mean_us = law.mean_us(len(decoding), positions)
        # The mean of the lognormal factor is one.
        factor = random.lognormal(-(law.jitter**2) / 2, law.jitter)
        now += round(mean_us * factor * PS_PER_US)
        step += 1
        while decoding and decoding[0][0] == step:
            batched.end_ps[heappop(decoding)[1]] = now
        for request in done:
            batched.first_token_ps[request] = now
            more = int(requests.output_tokens[request]) - 1
            if more:
                heappush(decoding, (step + more, request))
            else:
                batched.end_ps[request] = now
