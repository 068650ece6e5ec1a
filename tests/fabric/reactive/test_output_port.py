import simpy
from simpy.events import ProcessGenerator

from fabric.reactive.output_port import OutputPort

VECTOR_PS, CREDIT_PS = 100, 30


class Sent:
    """A port of one channel, and the time at which each row gets its wire."""

    def __init__(self, requester: list[int], places: int, freed_ps: int = -1) -> None:
        self.env = simpy.Environment()
        self.freed_ps = freed_ps
        self.rows: list[tuple[int, int]] = []
        self.port = OutputPort(
            self.env,
            vector_ps=VECTOR_PS,
            credit_ps=CREDIT_PS,
            places=places,
            channels=1,
            requester=requester,
            channel=[0] * len(requester),
            send=self._send,
        )

    def _send(self, row: int) -> int:
        self.rows.append((row, int(self.env.now)))
        return self.freed_ps

    def free_at(self, time_ps: int) -> None:
        def wait() -> ProcessGenerator:
            yield self.env.timeout(time_ps)
            self.port.free(0)

        self.env.process(wait())


def test_packets_follow_each_other_at_the_rate_of_the_wire() -> None:
    sent = Sent(requester=[0, 0, 0], places=9)
    for row in range(3):
        sent.port.request(row)
    sent.env.run()
    assert sent.rows == [(0, 0), (1, 100), (2, 200)]


def test_requesters_take_turns_in_order_of_their_numbers() -> None:
    # Rows 0 to 2 are requester 5's, rows 3 and 4 requester 2's.
    sent = Sent(requester=[5, 5, 5, 2, 2], places=9)
    for row in range(5):
        sent.port.request(row)
    sent.env.run()
    assert [row for row, _ in sent.rows] == [0, 3, 1, 4, 2]


def test_a_packet_waits_until_the_credit_of_a_place_is_back() -> None:
    sent = Sent(requester=[0, 0], places=1)
    for row in range(2):
        sent.port.request(row)
    sent.free_at(500)
    sent.env.run()
    assert sent.rows == [(0, 0), (1, 500 + CREDIT_PS)]


def test_without_a_credit_the_first_packet_of_each_requester_is_blocked() -> None:
    sent = Sent(requester=[3, 3, 1], places=1)
    for row in range(3):
        sent.port.request(row)
    sent.env.run()
    assert sent.rows == [(0, 0)]
    assert sent.port.blocked == [2, 1]


def test_a_place_known_to_be_freed_gives_its_credit_back() -> None:
    sent = Sent(requester=[0, 0], places=1, freed_ps=700)
    for row in range(2):
        sent.port.request(row)
    sent.env.run()
    assert sent.rows == [(0, 0), (1, 700 + CREDIT_PS)]
