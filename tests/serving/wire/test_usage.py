from serving.wire.usage import Usage

US = 10**6
USAGE = Usage(
    prompt_tokens=12,
    completion_tokens=3,
    queue_ps=50 * US,
    prompt_ps=600 * US,
    completion_ps=500 * US,
    sram_cached_tokens=4,
    dram_cached_tokens=1,
)


def test_total_time_leaves_the_queue_out() -> None:
    body = USAGE.body()
    assert body["queue_time"] == 50e-6
    assert body["total_time"] == 1.1e-3
    assert (body["prompt_time"], body["completion_time"]) == (600e-6, 500e-6)


def test_total_tokens_are_those_read_and_made() -> None:
    assert USAGE.total_tokens == USAGE.body()["total_tokens"] == 15


def test_cached_tokens_are_told_together_and_apart() -> None:
    assert USAGE.body()["prompt_tokens_details"] == {"cached_tokens": 5}
    assert USAGE.cache_body() == {"sram_cached_tokens": 4, "dram_cached_tokens": 1}
