"""All measurements that claims may name."""

from experiments.audit.decoding_measures import DECODING_MEASURES
from experiments.audit.machine_measures import MACHINE_MEASURES
from experiments.audit.measure import Measure
from experiments.audit.price_measures import PRICE_MEASURES
from experiments.audit.traffic_measures import TRAFFIC_MEASURES

MEASURES: dict[str, Measure] = {
    **MACHINE_MEASURES,
    **DECODING_MEASURES,
    **TRAFFIC_MEASURES,
    **PRICE_MEASURES,
}
