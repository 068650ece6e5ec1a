"""Sabotage of messages: what does not arrive, and what is said of it."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.program import Opcode, Program
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.program_edits import routes_of

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER, PROMPT, COLLECTIVE = "small decoder", "small prompt", "all-reduce two-step"


def messages(program: Program) -> int:
    assert program.dataflow is not None
    return len(program.dataflow.messages)


def test_a_train_has_one_vector_fewer_and_its_message_may_say_so(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before, flow = cases[PROMPT].program, cases[PROMPT].flow
    made = draw(PROMPT, "a vector dropped", "instructions")
    (old,), (new,) = lost_and_new(before.trains, made.trains)
    assert new == old | {"vectors": old["vectors"] - 1}
    assert made.dataflow is flow
    for variant in ("statements", "both"):
        stated = draw(PROMPT, "a vector dropped", variant)
        assert stated.trains.vectors.tolist() == made.trains.vectors.tolist()
        assert stated.dataflow is not None
        (old,), (new,) = lost_and_new(flow.messages, stated.dataflow.messages)
        # A vector has 320 bytes.
        assert new == old | {"payload_bytes": old["payload_bytes"] - 320}
        lost, found = lost_and_new(flow.carried, stated.dataflow.carried)
        assert bool(lost) == (variant == "both")
        for one, other in zip(lost, found, strict=True):
            assert other == one | {"last": other["last"]}
            assert one["first"] < other["last"] < one["last"]


def test_a_shortened_train_has_a_vector_at_least(cases: Cases, draw: Draw) -> None:
    vectors = cases[COLLECTIVE].program.trains.vectors
    for seed in range(5):
        made = draw(COLLECTIVE, "a train shortened", "instructions", seed)
        changed = made.trains.vectors != vectors
        assert changed.any()
        assert (made.trains.vectors[changed] < vectors[changed]).all()
        assert made.trains.vectors.min() >= 1


def test_a_train_is_dropped_on_all_hops_or_only_where_it_is_sent(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, "a train dropped", "instructions")
    assert len(np.unique(routes_of(made))) == len(np.unique(routes_of(before))) - 1
    assert messages(made) == messages(before)
    made = draw(DECODER, "a train received and never sent", "instructions")
    (lost,), none = lost_and_new(before.instructions, made.instructions)
    assert (lost["opcode"], none) == (Opcode.SEND, [])
    assert made.trains is before.trains


@pytest.mark.parametrize("kind", ["a message", "an exchange", "all messages"])
def test_messages_are_dropped_with_trains_or_with_what_they_carry(
    cases: Cases, draw: Draw, kind: str
) -> None:
    before, flow = cases[DECODER].program, cases[DECODER].flow
    done, said, both = (
        draw(DECODER, f"{kind} dropped", variant)
        for variant in ("instructions", "statements", "both")
    )
    assert len(done.trains) == len(both.trains) < len(before.trains)
    assert messages(done) == messages(said) == messages(before)
    gone = messages(before) - messages(both)
    # No message of the decoder has more than one train.
    assert gone == len(before.trains) - len(both.trains)
    assert said.trains is before.trains
    assert said.dataflow is not None
    owners = np.unique(said.dataflow.carried.owner)
    assert len(owners) == messages(before) - gone
    exchanges = np.unique(flow.messages.operator, return_counts=True)[1]
    expected = {"a message": [1], "all messages": [messages(before)]}
    assert gone in expected.get(kind, exchanges.tolist())


def test_the_token_is_not_brought_back_to_one_chip_or_all(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[DECODER].flow
    counts = set()
    for seed in range(6):
        made = draw(DECODER, "the token not brought back", "statements", seed)
        assert made.dataflow is not None
        lost, none = lost_and_new(flow.carried, made.dataflow.carried)
        assert none == []
        assert {flow.values[row["value"]].name for row in lost} == {"head.token"}
        counts.add(len(lost))
    assert counts == {1, 2}


def test_a_train_goes_to_another_neighbour_of_its_chip(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    case = cases[DECODER]
    before, topology = case.program, case.topology
    made = draw(DECODER, "a message to another chip", "instructions")
    (old,), (new,) = lost_and_new(before.trains, made.trains)
    assert new == old | {"link": new["link"]}
    links = [old["link"], new["link"]]
    assert len({*topology.source[links].tolist()}) == 1
    code = made.instructions
    train = int(np.flatnonzero(made.trains.link != before.trains.link)[0])
    own = code.train == train
    sent, taken = (
        own & (code.opcode == each) for each in (Opcode.SEND, Opcode.RECEIVE)
    )
    assert code.chip[sent] == topology.source[new["link"]]
    assert code.port[sent] == topology.source_port[new["link"]]
    assert code.chip[taken] == topology.target[new["link"]]
    assert code.port[taken] == topology.target_port[new["link"]]
    stated = draw(DECODER, "a message to another chip", "both")
    assert stated.dataflow is not None
    (message,) = lost_and_new(case.flow.messages, stated.dataflow.messages)[1]
    assert message["target"] == topology.target[new["link"]]


def test_only_the_target_of_a_message_is_stated_to_be_another(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    made = draw(DECODER, "a message to another chip", "statements")
    assert made.dataflow is not None
    (old,), (new,) = lost_and_new(cases[DECODER].flow.messages, made.dataflow.messages)
    assert new == old | {"target": new["target"]}
    assert new["target"] in cases[DECODER].topology.active
