import json

import pytest

from serving.endpoint.deployment import Deployment, Flight
from serving.wire.chat_request import ChatRequest
from serving.wire.errors import WireError
from serving.wire.request_body import read_body
from tests.serving.endpoints import CONTEXT, HELLO, PS_PER_US, make_deployment

# Two windows and two slots take 120 us, a token 150 us.
FRAME_PS = 150 * PS_PER_US


def two_slots(most_waiting: int = 1000) -> Deployment:
    return make_deployment(slots=2, most_waiting=most_waiting)


def enter(deployment: Deployment, now_us: int = 0, tokens: int = 10) -> Flight:
    return deployment.enter(now_us * PS_PER_US, 8, tokens, "on_demand")


def body(**properties: object) -> ChatRequest:
    given = {"model": "m", "messages": HELLO, **properties}
    return read_body(ChatRequest, json.dumps(given).encode())


def test_usage_and_queue_are_the_whole_time_of_a_request() -> None:
    deployment = two_slots()
    flights = [enter(deployment) for _ in range(4)]
    for flight in flights:
        usage, ticket = flight.usage(), flight.ticket
        total_ps = usage.queue_ps + usage.prompt_ps + usage.completion_ps
        assert total_ps == ticket.end_ps - ticket.arrival_ps
    # 8 turns after the second token, each of a frame.
    second_ps = deployment.timetable.token_ps(flights[0].ticket, 1)
    assert flights[0].ticket.end_ps - second_ps == 8 * FRAME_PS
    assert [flight.usage().queue_ps > FRAME_PS for flight in flights] == [
        *(False, False),
        *(True, True),
    ]


def test_a_client_that_vanishes_frees_its_slot_for_the_next() -> None:
    deployment = two_slots()
    first, second, third, fourth = [enter(deployment, tokens=100) for _ in range(4)]
    assert deployment.counts(PS_PER_US * 1000) == (2, 2)
    promised = third.ticket.admitted_ps
    deployment.leave(first, 1000 * PS_PER_US)
    assert third.moved.is_set()
    assert third.ticket.admitted_ps <= (1000 * PS_PER_US) + 2 * FRAME_PS
    assert third.ticket.admitted_ps < promised
    assert not second.moved.is_set()
    assert deployment.counts(PS_PER_US * 2000) == (2, 1)
    assert fourth.ticket.admitted_ps > third.ticket.admitted_ps


def test_a_client_that_vanishes_from_the_queue_leaves_its_place() -> None:
    deployment = two_slots()
    *_, third, fourth = [enter(deployment, tokens=tokens) for tokens in (10, 9, 50, 5)]
    place = third.ticket.admitted_ps
    deployment.leave(third, 1000)
    assert fourth.moved.is_set()
    assert fourth.ticket.admitted_ps == place


def test_an_answer_that_is_over_moves_nobody() -> None:
    deployment = two_slots()
    first, _, third = [enter(deployment) for _ in range(3)]
    deployment.leave(first, first.ticket.end_ps)
    assert not third.moved.is_set()


def test_what_is_kept_does_not_grow_with_requests() -> None:
    deployment = two_slots()
    now_us = 0
    for _ in range(300):
        flight = enter(deployment, now_us)
        now_us = flight.ticket.end_ps // PS_PER_US + 1
        deployment.leave(flight, now_us * PS_PER_US)
    assert len(deployment.timetable._pending) < 70
    assert deployment.counts(0) == (0, 0)


def test_a_full_queue_refuses_and_flex_does_not_wait_at_all() -> None:
    deployment = two_slots(most_waiting=1)
    for _ in range(2):
        enter(deployment)
    with pytest.raises(WireError, match="Flex tier capacity exceeded"):
        deployment.enter(0, 8, 10, "flex")
    enter(deployment)
    with pytest.raises(WireError, match="over capacity: 1 requests wait") as raised:
        enter(deployment)
    assert raised.value.status == 503


def test_an_answer_takes_what_the_context_leaves() -> None:
    deployment = two_slots()
    assert deployment.answer_tokens(body(), 100, 128) == 128
    assert deployment.answer_tokens(body(), CONTEXT - 5, 128) == 5
    assert deployment.answer_tokens(body(max_tokens=5), CONTEXT - 5, 128) == 5
    for asked, prompt in ((body(max_tokens=6), CONTEXT - 5), (body(), CONTEXT)):
        with pytest.raises(WireError, match="Please reduce the length") as raised:
            deployment.answer_tokens(asked, prompt, 128)
        assert raised.value.code == "context_length_exceeded"


def test_an_idle_endpoint_begins_at_a_cycle() -> None:
    deployment = two_slots()
    step_ps = deployment.timetable.times.cycle_time.picoseconds
    assert deployment.next_cycle_ps(0) == 0
    assert deployment.next_cycle_ps(1) == step_ps
    assert deployment.next_cycle_ps(step_ps) == step_ps


def test_a_model_is_listed_under_all_of_its_names() -> None:
    deployment = make_deployment("m", "llama-3.1-8b-instant")
    listed = deployment.listed(5)
    assert [model.name for model in listed] == ["m", "llama-3.1-8b-instant"]
    assert {model.context_window for model in listed} == {CONTEXT}
    assert deployment.fingerprint == "fp_0123456789"
    assert (deployment.slots, deployment.context_window) == (20, CONTEXT)
