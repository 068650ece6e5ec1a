"""Paths of messages, and the reservation of links in time.

message_scheduler: MessageScheduler
reservation_table: ReservationTable
bulk_reservation: reserve
modulo_reservation_table: ModuloReservationTable, contested_links
gateways: Crossings, Gateways
gateway_routing: gateway_paths
disjoint_paths: DisjointPath, disjoint_paths, vectors_per_path
striping: Stripes, striped
"""
