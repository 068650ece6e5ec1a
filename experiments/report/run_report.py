"""Report of a run: tables that a person can read in 80 columns."""

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.report.records import RunSummary
from experiments.report.wiring_text import wiring_text
from experiments.run.energy import Energy
from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from fabric.links.error_model import describe_error_model
from fabric.links.slack import UNLIMITED_PS
from sharding.partition.latent.forms import layer_forms
from specs.units import BYTES_PER_MB, PS_PER_S, PS_PER_US

_BAR_CELLS = 24
# Of each kind of thing that went wrong; all are in the tables and the JSON.
_MOST_SHOWN = 3
# What a report calls the parts of a failover.
_FAILOVER_WORDS = ("detection", "load", "bring-up", "KV cache", "start")


def run_report(run: Run, facts: RunSummary) -> RenderableType:
    """Return the report of a run: plan, latency, cycles by cause, slack, violations."""
    return Group(
        _plan(run, facts),
        Text(),
        _latency(run, facts),
        Text(),
        _breakdown(facts),
        Text(),
        _health(run, facts),
    )


def _grid(title: str) -> Table:
    """Return an empty part of a report: a table of names and values."""
    table = Table(
        title=title, title_justify="left", show_header=False, box=None, pad_edge=False
    )
    table.add_column(style="dim", min_width=22)
    table.add_column()
    return table


def _plan(run: Run, facts: RunSummary) -> Table:
    """Return the part of a run's report on its plan."""
    plan, machine = facts.plan, facts.machine
    table = _grid("Plan")
    table.add_row(*_subject(facts))
    if isinstance(run.prepared, Prepared):
        for remark in run.prepared.model.remarks:
            table.add_row("", f"read {remark}")
    table.add_row(
        "machine",
        f"{machine.name} {machine.topology}: {machine.chips:,} chips, "
        f"{machine.links:,} cables, diameter {machine.diameter_hops}",
    )
    if (wiring := wiring_text(run)) is not None:
        table.add_row("wiring", Text(wiring))
    chips = plan.chips_used
    on = "one chip" if chips == 1 else f"{chips:,} chips"
    table.add_row("strategy", f"{plan.strategy} on {on}")
    if isinstance(run.prepared, Prepared):
        if run.prepared.searched is not None:
            found = run.prepared.searched.found
            table.add_row(
                "search",
                f"best for {found.objective} of {found.candidates:,} strategies, "
                f"gap {found.gap:.1%}",
            )
        if run.prepared.placed is not None:
            table.add_row("placement", str(run.prepared.placed))
        context, trained = run.prepared.context_tokens, run.prepared.model
        most = trained.max_context_tokens
        beyond = f" (the model was trained for {most:,})" if context > most else ""
        table.add_row("context", f"{context:,} positions{beyond}")
        forms = layer_forms(run.prepared.plan.task)
        if forms is not None:
            table.add_row("attention", str(forms))
    table.add_row(
        "fullest chip",
        f"{plan.fullest_chip_bytes / BYTES_PER_MB:.1f} of "
        f"{plan.sram_bytes_per_chip / BYTES_PER_MB:.1f} MB "
        f"({plan.fullest_chip_bytes / plan.sram_bytes_per_chip:.0%})",
    )
    schedule = facts.schedule
    table.add_row(
        "schedule",
        f"{schedule.instructions:,} instructions; {schedule.vectors:,} vectors "
        f"in {schedule.trains:,} trains",
    )
    certificate = f"{schedule.certificate}: {schedule.checks:,} checks hold"
    if run.certificate is None:
        certificate = "none: chips that drift and never deskew keep no schedule"
    table.add_row("certificate", certificate)
    return table


def _subject(facts: RunSummary) -> tuple[str, str]:
    """Return what a run computes, for its report: a model, or a workload."""
    if facts.model is not None:
        model = facts.model
        return (
            "model",
            f"{model.name}: {model.parameters / 1e9:.2f} G parameters, "
            f"{model.weight_bytes / 1e9:.2f} GB in "
            f"{model.weight_formats}",
        )
    workload = facts.workload
    assert workload is not None
    return (
        "workload",
        f"{workload.name}: {workload.macs / 1e9:,.3f} G multiplications, "
        f"{workload.weight_bytes / BYTES_PER_MB:,.1f} MB of weights",
    )


def _latency(run: Run, facts: RunSummary) -> Table:
    """Return the part of a run's report on latency and rates."""
    latency = facts.iteration.latency_ns
    schedule = facts.schedule
    table = _grid("Latency")
    if latency is None:
        table.add_row("tokens", Text("none was delivered", style="bold red"))
        return table
    table.add_row(
        f"per {_iteration(run)}",
        f"{latency.p50 / 1e3:,.3f} us (p99 {latency.p99 / 1e3:,.3f}, "
        f"max - min {latency.max - latency.min:.3f} ns)",
    )
    if facts.token is not None:
        rate = f"{facts.token.tokens_per_s_per_user:,.1f} tokens/s"
    else:
        every_s = latency.mean / 1e9 + run.turn_ps / PS_PER_S
        rate = f"{1 / every_s:,.1f} passes/s"
    table.add_row("per user", Text(rate, style="bold"))
    if run.turn_ps > 0:
        table.add_row("", f"{run.turn_ps / PS_PER_US:,.3f} us of waiting after each")
    _add_tokens(table, facts)
    if facts.workload is not None:
        share = facts.workload.mxm_utilisation
        table.add_row("matrix units", f"{share:.1%} of their peak")
    table.add_row(
        "lower bound",
        f"{schedule.lower_bound_cycles:,} of {schedule.latency_cycles:,} cycles "
        f"({schedule.lower_bound_cycles / schedule.latency_cycles:.0%})",
    )
    _add_energy(table, facts.energy)
    return table


def _add_energy(table: Table, energy: Energy) -> None:
    """Add to a report the energy of a token, and the power of chips if it is known."""
    average_w, idle_w = energy.average_power_w, energy.idle_chip_w
    busiest_w, peak_w = energy.busiest_chip_w, energy.peak_operator_w
    if average_w is None or idle_w is None or busiest_w is None or peak_w is None:
        return
    if energy.energy_per_token_j is not None and energy.idle_share is not None:
        table.add_row(
            "energy of a token",
            f"{energy.energy_per_token_j:,.3g} J at {average_w / 1e3:,.1f} kW, "
            f"{energy.idle_share:.1%} of it idle",
        )
    table.add_row(
        "power of a chip", f"{idle_w:.0f} W idle, {busiest_w:.0f} W the busiest"
    )
    if energy.over_tdp:
        above = f"above TDP, {peak_w:.0f} W while an operator runs"
        table.add_row("", Text(above, style="bold red"))


def _add_tokens(table: Table, facts: RunSummary) -> None:
    """Add to a report what all users get together, and the time to the first token."""
    token, prefill = facts.token, facts.prefill
    if token is None:
        return
    if token.tokens_per_s_pipeline > token.tokens_per_s_per_user:
        together = f"{token.tokens_per_s_pipeline:,.1f} tokens/s without prompts"
        table.add_row("aggregate", together)
        if prefill is not None and token.tokens_per_s_with_prompts is not None:
            answer_tokens = facts.inputs["tokens"] + 1
            table.add_row(
                "",
                f"{token.tokens_per_s_with_prompts:,.1f} tokens/s with "
                f"{prefill.prompt_tokens:,} in and {answer_tokens:,} out",
            )
    if prefill is not None:
        table.add_row(
            "prompt",
            f"{prefill.prompt_tokens:,} positions in "
            f"{_counted(prefill.chunks, 'chunk')} of {prefill.chunk_tokens:,}: "
            f"{prefill.latency_ns / 1e3:,.3f} us",
        )
        table.add_row(
            "first token",
            f"{token.time_to_first_token_ns / 1e3:,.3f} us, of which the host "
            f"{prefill.host_ns / 1e3:,.3f}",
        )


def _iteration(run: Run) -> str:
    """Return what the report of a run calls an iteration."""
    return "token" if run.prepared.makes_tokens else "pass"


def _breakdown(facts: RunSummary) -> Table:
    """Return the part of a run's report on cycles by cause."""
    spent = facts.iteration.breakdown_cycles
    total = sum(spent.values())
    table = Table(title="Where the cycles went", title_justify="left", box=None)
    table.pad_edge = False
    table.add_column("", style="dim", min_width=22)
    table.add_column("cycles", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    for cause, cycles in spent.items():
        share = cycles / total
        bar = "#" * round(share * _BAR_CELLS)
        table.add_row(cause, f"{cycles:,.0f}", f"{share:.1%}", Text(bar, style="cyan"))
    hidden = facts.schedule.hidden_cycles
    if hidden:
        table.caption = f"{hidden:,} cycles of exchanges are hidden by computation"
        table.caption_justify = "left"
    return table


def _health(run: Run, facts: RunSummary) -> Table:
    """Return the part of a run's report on slack, violations and faults."""
    result, program = run.result, run.schedule.program
    table = _grid("Run")
    least_ps = int(result.links.least_slack_ps.min(initial=UNLIMITED_PS))
    if least_ps < UNLIMITED_PS:
        least = least_ps / PS_PER_S * run.prepared.machine.chip.clock_hz
        table.add_row(
            "least slack",
            f"{least:.1f} cycles of a guard band of {program.guard_cycles}",
        )
    broken = facts.violations
    table.add_row(
        "violations",
        Text("none", style="green")
        if not run.violations
        else Text(
            f"{_counted(broken.underflow, 'underflow')}, "
            f"{_counted(broken.overflow, 'overflow')}",
            style="bold red",
        ),
    )
    for violation in result.violations[:_MOST_SHOWN]:
        table.add_row("", str(violation))
    faults = facts.faults
    table.add_row("errors", describe_error_model(run.prepared.machine))
    table.add_row(
        "repaired",
        f"{_counted(faults.fec_corrected, 'codeword')}; damaged beyond repair: "
        f"{_counted(faults.fec_uncorrectable, 'train')}",
    )
    table.add_row(
        "faults",
        f"{_counted(faults.replays, 'replay')}, "
        f"{_counted(faults.failovers, 'failover')}, "
        f"{_counted(faults.tokens_lost, 'token')} lost",
    )
    for failover in result.failovers[:_MOST_SHOWN]:
        table.add_row("", str(failover))
        told = zip(_FAILOVER_WORDS, failover.parts_ps.values(), strict=True)
        parts = ", ".join(f"{word} {ps / PS_PER_US:,.1f}" for word, ps in told)
        table.add_row("", f"in us: {parts}")
    for missing in result.missing[:_MOST_SHOWN]:
        table.add_row("", Text(str(missing), style="red"))
    ran = facts.run
    table.add_row(
        "simulated",
        f"{_counted(ran.iterations, 'iteration')}, {_counted(ran.events, 'event')} "
        f"in {ran.wall_s:.2f} s",
    )
    table.add_row("trajectory", ran.trajectory_hash[:32])
    return table


def _counted(count: int, noun: str) -> str:
    """Return a count with its noun for a report, in the plural unless it is 1."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def print_report(run: Run, facts: RunSummary, console: Console) -> None:
    """Print the report of a run."""
    console.print(run_report(run, facts))
