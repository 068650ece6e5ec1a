import json
from pathlib import Path

import pytest

from serving.requests.traces import TraceColumns, trace_rows, trace_table
from specs.errors import SpecError

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
"""
BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45.5,ChatGPT,1087,0,1087,Conversation log
118,GPT-4,417,276,693,API log
"""
MOONCAKE = [
    {"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]},
    {"timestamp": 3000, "input_length": 600, "output_length": 7, "hash_ids": [1, 9]},
]


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content)
    return path


def test_a_trace_of_azure_has_dates_to_a_tenth_of_a_microsecond(tmp_path: Path) -> None:
    table, failed = trace_table(written(tmp_path, "azure.csv", AZURE), 10)
    assert table.arrival_ps.tolist() == [0, 4_314_579_000_000]
    assert table.prompt_tokens.tolist() == [374, 396]
    assert table.output_tokens.tolist() == [44, 109]
    assert failed == 0


def test_requests_of_burstgpt_without_an_answer_have_failed(tmp_path: Path) -> None:
    path = written(tmp_path, "burst.csv", BURSTGPT)
    table, failed = trace_table(path, 10, speed=2.0)
    assert failed == 1
    assert table.arrival_ps.tolist() == [0, 113 * 10**12 // 2]


def test_the_hashes_of_mooncake_are_blocks_that_prompts_share(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, MOONCAKE))
    path = written(tmp_path, "mooncake.jsonl", lines)
    table, _ = trace_table(path, 10)
    # Only whole blocks of 512 positions are shared.
    assert table.blocks == ((1, 2), (1,))
    assert table.arrival_ps.tolist() == [0, 3 * 10**12]


def test_a_jsonl_may_have_columns_of_other_names(tmp_path: Path) -> None:
    path = written(tmp_path, "own.jsonl", '{"t": 1.5, "in": 3, "out": 4}\n\n')
    (row,) = trace_rows(path, TraceColumns("t", "in", "out"))
    assert row == (1_500_000_000_000, 3, 4, ())


def test_no_more_of_a_trace_is_read_than_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "burst.csv", BURSTGPT + "nonsense,x,y,z\n")
    table, _ = trace_table(path, 1)
    assert table.size == 1


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", "x,y\n1,2\n", "a.csv:1: columns x,y; an Azure trace has"),
        ("a.csv", AZURE + "soon,1,2\n", "a.csv:4: TIMESTAMP = 'soon'"),
        ("a.csv", AZURE + "2023-11-16 18:15:51,1.5,2\n", "ContextTokens = '1.5'"),
        ("a.csv", AZURE + "2023-11-16 18:15:51,-1,2\n", "a.csv:4: ContextTokens"),
        ("a.csv", AZURE + "2023-11-16 18:15:51\n", "a.csv:4: no ContextTokens"),
        ("a.csv", AZURE + "2022-11-16 18:15:51,1,2\n", "request 3 comes before"),
        ("a.csv", "TIMESTAMP,ContextTokens,GeneratedTokens\n", "no request with"),
        ("a.jsonl", "{\n", "a.jsonl:1: not valid JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl:1: holds a list"),
        ("a.jsonl", '{"timestamp": 0}\n', "a.jsonl:1: no prompt_tokens"),
        (
            "a.jsonl",
            '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": 3}',
            "a.jsonl:1: hash_ids must be",
        ),
    ],
)
def test_each_fault_of_a_trace_is_told_with_its_line(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    with pytest.raises(SpecError, match=fault):
        trace_table(written(tmp_path, name, content), 100)


def test_a_trace_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no trace"):
        list(trace_rows(tmp_path / "none.csv"))
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot be read"):
        list(trace_rows(tmp_path / "bytes.csv"))
