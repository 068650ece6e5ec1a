from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.messages import MessageTable
from compiler.ir.transfers import CycleBreakdown, TransferModel, Transport, trainless

breakdowns = st.tuples(*[st.integers(0, 999)] * 7).map(
    lambda cycles: CycleBreakdown(*cycles)
)


class OneCycleAMessage:
    """The simplest transfer model: messages one after the other."""

    def transport(self, messages: MessageTable) -> Transport:
        return trainless(len(messages))


def test_breakdowns_add_up_by_cause() -> None:
    spent = CycleBreakdown(1, 2, 3, 4, 5, 6, 7)
    assert spent.plus(CycleBreakdown(compute=10)) == (11, 2, 3, 4, 5, 6, 7)


@given(one=breakdowns, other=breakdowns)
def test_two_spans_together_are_as_long_as_both(
    one: CycleBreakdown, other: CycleBreakdown
) -> None:
    assert one.plus(other).total == one.total + other.total


def test_a_transport_without_trains_takes_its_cycles_and_no_link() -> None:
    transport = trainless(500)
    assert transport.duration_cycles == 500
    assert transport.spent == CycleBreakdown(link=500)
    assert (len(transport.link), transport.hops) == (0, 0)


def test_whatever_returns_a_transport_is_a_transfer_model() -> None:
    model: TransferModel = OneCycleAMessage()
    messages = MessageTable.of([(0, 1, 320), (1, 0, 320)])
    assert model.transport(messages).duration_cycles == 2
