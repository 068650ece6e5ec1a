"""Windows of convolutions and pools in ONNX graphs: which elements each one has."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.element_view import Axis, Loop, View
from workloads.onnx_files.nodes.node import UnreadNodeError
from workloads.onnx_files.values import Value


class Windows(NamedTuple):
    """Windows that move over the rows and columns of a picture, or any dimensions.

    Attributes
    ----------
    kernel, strides, dilations
        Places of a window, places from one to the next, and places from one place of a
        window to the next, of each dimension.
    before, after
        Places that are added before and behind each dimension.
    outputs
        Windows along each dimension.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def trivial(self) -> bool:
        """Return whether each window is a single place, and each place a window."""
        return all(
            (size, step, *pads) == (1, 1, 0, 0)
            for size, step, *pads in zip(
                self.kernel, self.strides, self.before, self.after, strict=True
            )
        )

    def loops(self) -> tuple[list[Loop], list[Loop]]:
        """Return the loops over windows, and over the places of a window."""
        over = [
            Loop(size=count, stride=step, axis=axis)
            for axis, (count, step) in enumerate(
                zip(self.outputs, self.strides, strict=True)
            )
        ]
        within = [
            Loop(size=size, stride=step, axis=axis)
            for axis, (size, step) in enumerate(
                zip(self.kernel, self.dilations, strict=True)
            )
        ]
        return over, within

    def axes(self, value: Value) -> tuple[Axis, ...]:
        """Return the axes along which windows move over an ONNX value.

        Dimensions of the value are samples, channels, and those of the windows.
        """
        strides = value.cells.strides[2:]
        return tuple(
            Axis(size=size, stride=stride, start=-before)
            for size, stride, before in zip(
                value.shape[2:], strides, self.before, strict=True
            )
        )

    def counts(self, sizes: Sequence[int], *, padded: bool) -> NDArray[Any]:
        """Return how many places of each window there are, shape `outputs`.

        Parameters
        ----------
        sizes
            Places of each dimension.
        padded
            Whether those that were added count.
        """
        found = np.ones((), dtype=np.int64)
        for axis, size in enumerate(sizes):
            first = np.arange(self.outputs[axis]) * self.strides[axis]
            first = first - self.before[axis]
            within = np.arange(self.kernel[axis]) * self.dilations[axis]
            place = first[:, None] + within
            low = -self.before[axis] if padded else 0
            high = size + (self.after[axis] if padded else 0)
            inside = ((place >= low) & (place < high)).sum(axis=1)
            found = np.multiply.outer(found, inside)
        return found


def windows_of(
    attributes: Mapping[str, Any],
    sizes: Sequence[int],
    kernel: Sequence[int],
    outputs: Sequence[int],
) -> Windows:
    """Return the windows of a node of an ONNX graph.

    Parameters
    ----------
    attributes
        Attributes of the node.
    sizes, kernel
        Places of each dimension, and of a window.
    outputs
        Windows along each dimension.

    Raises
    ------
    UnreadNodeError
        If the kind of padding is not known.
    """
    rank = len(sizes)
    strides = tuple(attributes.get("strides", (1,) * rank))
    dilations = tuple(attributes.get("dilations", (1,) * rank))
    pads = tuple(attributes.get("pads", (0,) * (2 * rank)))
    kind = attributes.get("auto_pad", "NOTSET")
    if kind in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (count - 1) * step + (wide - 1) * apart + 1 - size)
            for count, step, wide, apart, size in zip(
                outputs, strides, kernel, dilations, sizes, strict=True
            )
        ]
        less = [each // 2 for each in total]
        more = [each - half for each, half in zip(total, less, strict=True)]
        before, after = (less, more) if kind == "SAME_UPPER" else (more, less)
        pads = (*before, *after)
    elif kind not in ("NOTSET", "VALID"):
        raise UnreadNodeError(f"pads as {kind}")
    return Windows(
        tuple(kernel),
        strides,
        dilations,
        pads[:rank],
        pads[rank:],
        tuple(outputs),
    )


def window_view(
    value: Value,
    windows: Windows,
    inner: Sequence[Loop],
    *,
    channels_first: bool,
    fill: float = 0.0,
) -> View:
    """Return the places of all windows over an ONNX value.

    Parameters
    ----------
    value
        Value whose dimensions are samples, channels, and those of the windows.
    windows
        The windows.
    inner
        Loops over the channels.
    channels_first
        Whether each channel has its windows' places together, as a pool needs them;
        otherwise each window has all channels of a place together, as a product does.
    fill
        Value of places that were added.
    """
    over, within = windows.loops()
    samples = Loop(size=value.shape[0], stride=value.cells.strides[0])
    last = (*inner, *within) if channels_first else (*within, *inner)
    return View(
        loops=(samples, *over, *last),
        start=value.start,
        axes=windows.axes(value),
        fill=fill,
    )
