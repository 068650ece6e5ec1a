from collections.abc import Callable

from compiler.ir.messages import MessageTable
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import Timeline, TransportEntry
from compiler.ir.transfers import Transport, trainless
from compiler.passes.model_pass import model_pass
from compiler.scheduling.pass_scheduler import pass_timeline

Compile = Callable[..., Schedule]
PHASE = 100


class EqualPhases:
    """A transfer model in which every phase lasts a hundred cycles."""

    def transport(self, _: MessageTable) -> Transport:
        return trainless(PHASE)


def timeline(schedule: Schedule, interval_cycles: int = 0) -> Timeline:
    return pass_timeline(
        model_pass(schedule.plan),
        schedule.topology,
        EqualPhases(),
        interval_cycles=interval_cycles,
    )


def phases(made: Timeline) -> list[TransportEntry]:
    return [entry for entry in made.entries if isinstance(entry, TransportEntry)]


def test_a_token_takes_its_operators_and_its_phases_one_after_the_other(
    compiled: Compile,
) -> None:
    made = timeline(compiled(2, 3, compiler__overlap=False))
    assert made.spent.link == PHASE * len(phases(made))
    assert made.token_cycles == made.spent.compute + made.spent.link
    starts = [entry.start_cycle for entry in made.entries]
    assert starts == sorted(starts)


def test_stages_end_with_a_stage_transfer_and_the_last_with_the_token_return(
    compiled: Compile,
) -> None:
    made = timeline(compiled(2, 3))
    names = [entry.name for entry in phases(made)]
    assert names.count("hand_over") == 2
    assert names.count("way_back") == 1
    assert made.entries[-1].name == "way_back"


def test_both_stages_are_at_work_during_a_stage_transfer(compiled: Compile) -> None:
    made = timeline(compiled(2, 3))
    assert sum(made.stage_cycles) == made.token_cycles + 2 * PHASE


def test_a_chip_on_its_own_sends_nothing_and_never_deskews(compiled: Compile) -> None:
    made = timeline(compiled(1, 1), interval_cycles=10**6)
    assert phases(made) == []
    assert made.spent.deskew == 0


def test_a_single_stage_deskews_before_all_else(compiled: Compile) -> None:
    schedule = compiled(2, 1)
    made = timeline(schedule, interval_cycles=10**6)
    epoch = schedule.plan.task.machine.hac.epoch_cycles
    assert made.spent.deskew == made.entries[0].start_cycle == epoch


def test_a_stage_of_a_pipeline_deskews_while_it_is_idle(compiled: Compile) -> None:
    assert timeline(compiled(2, 3), interval_cycles=10**6).spent.deskew == 0
