"""Records of served requests: the columns of ``requests.csv``, in picoseconds."""

import numpy as np
import pandas as pd

from serving.fleet.fleet import Fleet
from serving.requests.request_table import Outcome, RequestTable, Tier
from serving.results.served import Served
from serving.results.slo import Slo, meets

_NONE = -1


def request_records(
    fleet: Fleet, requests: RequestTable, served: Served, *, model: str, slo: Slo
) -> pd.DataFrame:
    """Return a row for each request; -1 stands for what a refused one has not.

    Parameters
    ----------
    fleet
        What served.
    requests, served
        What was asked, and what became of it.
    model
        Name of the model.
    slo
        Objectives, which `slo_met` says are met.
    """
    time, out_ps = fleet.times.cycle_time, fleet.times.host_out_ps
    done = served.outcome == Outcome.COMPLETED
    arrival = served.arrival_ps
    first = np.where(done, time.ps(served.chosen_cycle) + out_ps, _NONE)
    end = np.where(done, time.ps(served.end_cycle) + out_ps, _NONE)
    gaps = np.maximum(requests.output_tokens - 1, 1)
    queued = time.ps(served.admitted_cycle) - time.ps(served.ready_cycle)
    columns = {
        "request": np.arange(requests.size),
        "class": requests.kind,
        "tenant": requests.tenant,
        "tier": [Tier(each).name.lower() for each in requests.tier.tolist()],
        "model": model,
        "replica": served.replica,
        "slot": served.slot,
        "arrival_ps": arrival,
        "admitted_ps": np.where(done, time.ps(served.admitted_cycle), _NONE),
        "first_token_ps": first,
        "end_ps": end,
        "prompt_tokens": requests.prompt_tokens,
        "cached_tokens": np.where(done, served.cached_tokens, 0),
        "restored_tokens": np.where(done, served.restored_tokens, 0),
        "output_tokens": requests.output_tokens,
        "queue_ps": np.where(done, queued, _NONE),
        "ttft_ps": np.where(done, first - arrival, _NONE),
        "tpot_ps": np.where(done, (end - first) // gaps, _NONE),
        "e2el_ps": np.where(done, end - arrival, _NONE),
        "outcome": [Outcome(each).name.lower() for each in served.outcome.tolist()],
    }
    records = pd.DataFrame(columns)
    records["slo_met"] = meets(records, slo)
    return records
