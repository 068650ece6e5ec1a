from fabric.faults.delivery import SequenceState
from fabric.results.result import IterationRow, Missing
from fabric.statistics.missing_tokens import missing_tokens


def row(token: int, *, delivered: bool, sequence: int = 0) -> IterationRow:
    return IterationRow(
        sequence=sequence,
        iteration=0,
        token=token,
        attempt=0,
        start_ps=0,
        end_ps=1,
        delivered=delivered,
    )


def test_nothing_is_missing_once_an_attempt_has_delivered_each_token() -> None:
    rows = [row(0, delivered=False), row(0, delivered=True), row(1, delivered=True)]
    assert missing_tokens(rows, [SequenceState(token=2)], 2) == ()


def test_undelivered_tokens_are_named_in_ranges() -> None:
    rows = [row(token, delivered=token in {1, 4}) for token in range(5)]
    reason = "vectors broke the schedule"
    assert missing_tokens(rows, [SequenceState(token=5)], 5) == (
        Missing(0, 0, 0, reason),
        Missing(0, 2, 3, reason),
    )


def test_what_was_given_up_is_missing_to_the_end_with_its_reason() -> None:
    rows = [row(0, delivered=True), row(0, delivered=True, sequence=1)]
    waiting = [SequenceState(token=1, given_up="chip 3 halts"), SequenceState(token=3)]
    missing = missing_tokens(rows, waiting, 3)
    assert missing == (
        Missing(0, 1, 2, "chip 3 halts"),
        Missing(1, 1, 2, "vectors broke the schedule"),
    )
    assert [each.tokens for each in missing] == [2, 2]
