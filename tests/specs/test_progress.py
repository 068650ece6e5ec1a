from specs.progress import progress_told_to, report_progress


def test_only_what_is_inside_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    report_progress("before", 1)
    with progress_told_to(lambda *said: told.append(said)):
        report_progress("searching", 7)
        report_progress("timing", 1, 3)
    report_progress("after", 1)
    assert told == [("searching", 7, 0), ("timing", 1, 3)]


def test_an_inner_listener_is_told_alone() -> None:
    outer: list[str] = []
    inner: list[str] = []
    with progress_told_to(lambda what, *_: outer.append(what)):
        with progress_told_to(lambda what, *_: inner.append(what)):
            report_progress("point", 1)
        report_progress("sweep", 1)
    assert (outer, inner) == (["sweep"], ["point"])
