import pytest
from pydantic import BaseModel, ValidationError

from serving.wire.body_faults import body_fault
from serving.wire.chat_request import ChatRequest
from serving.wire.errors import WireError
from serving.wire.request_body import RequestBody, read_body


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"nul", b"\xff\xfe", b"[" * 10_000, b'{"model":"\\ud800"}', b"{}{}"],
)
def test_what_is_no_json_is_told_as_such(content: bytes) -> None:
    with pytest.raises(WireError, match="could not parse the body as JSON"):
        read_body(ChatRequest, content)


def test_json_that_is_no_object_is_told_as_such() -> None:
    with pytest.raises(WireError, match="the body: value must be an object"):
        read_body(ChatRequest, b"[1]")


def test_one_fault_is_told_the_first() -> None:
    class Pair(BaseModel):
        left: int
        right: int

    with pytest.raises(ValidationError) as raised:
        Pair.model_validate({})
    assert len(raised.value.errors()) == 2
    told = body_fault(raised.value, Pair).message
    assert told == "'left' : property 'left' is missing"


def test_there_is_no_body_of_no_kind() -> None:
    with pytest.raises(
        TypeError, match=r"abstract methods.*check, content_key, prompt"
    ):
        RequestBody(model="m")  # type: ignore[abstract]
