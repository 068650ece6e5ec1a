"""All kinds of sabotage, family after family."""

from experiments.sabotage.case import Sabotage
from experiments.sabotage.lie_kinds import LIE_KINDS
from experiments.sabotage.message_kinds import MESSAGE_KINDS
from experiments.sabotage.operation_kinds import OPERATION_KINDS
from experiments.sabotage.order_kinds import ORDER_KINDS
from experiments.sabotage.resource_kinds import RESOURCE_KINDS
from experiments.sabotage.statement_kinds import STATEMENT_KINDS
from experiments.sabotage.timing_kinds import TIMING_KINDS

KINDS: tuple[Sabotage, ...] = (
    *TIMING_KINDS,
    *MESSAGE_KINDS,
    *OPERATION_KINDS,
    *ORDER_KINDS,
    *STATEMENT_KINDS,
    *LIE_KINDS,
    *RESOURCE_KINDS,
)
