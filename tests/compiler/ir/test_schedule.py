from collections.abc import Callable

from compiler.ir.schedule import PlannedSchedule, Schedule
from compiler.ir.timeline import ComputeEntry, Timeline, TransportEntry

Compile = Callable[..., Schedule]


def test_a_schedule_says_where_all_cycles_of_its_program_go(compiled: Compile) -> None:
    schedule = compiled(2, 4)
    assert isinstance(schedule, PlannedSchedule)
    assert schedule.breakdown.total == schedule.program.token_cycles
    assert schedule.latency_cycles == schedule.program.period_cycles
    assert schedule.breakdown._replace(wait=0) == schedule.timeline.spent._replace(
        wait=0
    )


def test_the_turns_of_many_sequences_count_as_latency(compiled: Compile) -> None:
    schedule = compiled(1, 2, sequences=4)
    turns = schedule.program.turn_cycles
    assert turns > 0
    assert schedule.latency_cycles == schedule.breakdown.total + turns


def test_entries_of_a_timeline_follow_each_other(compiled: Compile) -> None:
    timeline = compiled(2, 4, compiler__overlap=False).timeline
    assert isinstance(timeline, Timeline)
    end = 0
    for entry in timeline.entries:
        assert entry.start_cycle >= end
        if isinstance(entry, ComputeEntry):
            end = entry.start_cycle + int(entry.cycles.max())
        else:
            end = entry.start_cycle + entry.transport.duration_cycles
    assert timeline.token_cycles == end
    sent = [entry for entry in timeline.entries if isinstance(entry, TransportEntry)]
    assert timeline.trains == sum(len(entry.transport.link) for entry in sent)
