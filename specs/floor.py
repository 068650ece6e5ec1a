"""Floor plan of a machine room: where racks stand, which decides their cables."""

from pydantic import Field

from specs.validation import Spec


class FloorSpec(Spec):
    """Racks in rows, joined by cables over trays along and across the rows.

    Parameters
    ----------
    racks_per_row
        Racks side by side in a row.
    rack_pitch_m, row_pitch_m
        Distance of neighbouring racks of a row, and of neighbouring rows.
    drop_m
        Length of a cable between racks that is not horizontal: up to the tray and down
        again, with slack at both ends.
    """

    racks_per_row: int = Field(ge=1)
    rack_pitch_m: float = Field(gt=0, le=100)
    row_pitch_m: float = Field(gt=0, le=100)
    drop_m: float = Field(gt=0, le=100)
