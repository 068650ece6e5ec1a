"""Published figures beside those of this program, for ``groqrack validate``.

all_rows: validation_rows, deployment_rows
row: PublishedFigure, FigureKind, validation_report
chip: chip_rows, link_rows, lstm_rows, product_row, model_rows
lpx: lpx_rows
network: network_rows
timing: timing_rows
wiring: wiring_rows
"""
