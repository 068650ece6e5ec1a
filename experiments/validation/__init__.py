"""Published figures beside those of this program, for ``groqrack validate``.

all_rows: validation_rows, deployment_rows
row: PublishedFigure, FigureKind, validation_report
link_round_trips: LinkMeasurement, TABLE_2, half_round_trips
matrix_product: product_run, utilisation
network_latency: smallest_all_reduce, one_vector, first_spread_bytes
other_simulators: astra_all_reduce_cycles, booksim_cycles, booksim_mean_cycles,
    booksim_law
chip: chip_rows, link_rows, lstm_rows, product_row, model_rows
lpx: lpx_rows
network: network_rows
timing: timing_rows
wiring: wiring_rows
"""
