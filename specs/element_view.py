"""Element view: which element of a tensor each element of a rearranged result is.

A view is a nest of loops. Each loop moves through the elements of the tensor, in their
order row after row, or along an axis with edges, beyond which there is a fill value:
the windows of a convolution move along the padded rows and columns of a picture.
"""

from collections.abc import Iterator
from math import prod
from typing import final

import numpy as np
from pydantic import Field

from specs.arrays import Ints
from specs.validation import Spec


@final
class Axis(Spec):
    """Axis of a tensor with edges, along which loops of an element view move.

    Parameters
    ----------
    size
        Places along the axis.
    stride
        Elements from one place to the next.
    start
        Place of the first turn of all loops; below 0 it is before the edge.
    """

    size: int = Field(gt=0)
    stride: int
    start: int = 0


@final
class Loop(Spec):
    """Loop of an element view.

    Parameters
    ----------
    size
        Turns of the loop.
    stride
        Elements from one turn to the next; 0 repeats an element. With an `axis` these
        are places along it.
    axis
        Number of the axis along which it moves, None if it has no edges.
    """

    size: int = Field(gt=0)
    stride: int
    axis: int | None = Field(default=None, ge=0)


@final
class View(Spec):
    """Element view of a tensor: the elements of a result, the last loop fastest.

    Parameters
    ----------
    loops
        Loops from the slowest to the fastest; the result has an element for each turn.
    start
        Element of the first turn of all loops without an axis.
    axes
        Axes with edges.
    fill
        Value of what is beyond an edge.
    """

    loops: tuple[Loop, ...] = Field(min_length=1)
    start: int = Field(default=0, ge=0)
    axes: tuple[Axis, ...] = ()
    fill: float = 0.0

    @property
    def elements(self) -> int:
        """Return the elements of the view's result."""
        return prod(loop.size for loop in self.loops)

    def repeated(self, times: int, stride: int) -> "View":
        """Return the view of `times` samples that are `stride` elements apart."""
        outer = Loop(size=times, stride=stride)
        return self.model_copy(update={"loops": (outer, *self.loops)})

    def faults(self, elements: int) -> Iterator[str]:
        """Yield what is wrong with the view of a tensor, a phrase of a spec's error.

        Parameters
        ----------
        elements
            Elements of the tensor.
        """
        known = range(len(self.axes))
        for number, loop in enumerate(self.loops):
            if loop.axis is not None and loop.axis not in known:
                yield f"loop {number} moves along axis {loop.axis} of {len(known)}"
                return
        spans = [(self.start, self.start)]
        spans += [_span(loop) for loop in self.loops if loop.axis is None]
        for number, axis in enumerate(self.axes):
            places = [_span(each) for each in self.loops if each.axis == number]
            low = max(0, axis.start + sum(first for first, _ in places))
            high = min(axis.size - 1, axis.start + sum(last for _, last in places))
            ends = sorted((low * axis.stride, max(low, high) * axis.stride))
            spans.append((ends[0], ends[1]))
        first, last = (sum(ends) for ends in zip(*spans, strict=True))
        if first < 0 or last >= elements:
            yield f"its view reaches elements {first} to {last} of {elements}"

    def places(self) -> tuple[Ints, Ints]:
        """Return the element of each place of the result, and which have one.

        Returns
        -------
        tuple
            Numbers of elements, 0 where there is none, and truth values; both of shape
            ``(elements,)``.
        """
        sizes = tuple(loop.size for loop in self.loops)
        steps = [
            (loop.stride * np.arange(loop.size)).reshape(
                [-1 if place == number else 1 for place in range(len(sizes))]
            )
            for number, loop in enumerate(self.loops)
        ]
        found = np.full((1,) * len(sizes), self.start, dtype=np.int64)
        inside = np.ones((1,) * len(sizes), dtype=bool)
        for loop, step in zip(self.loops, steps, strict=True):
            if loop.axis is None:
                found = found + step
        for number, axis in enumerate(self.axes):
            place = np.full((1,) * len(sizes), axis.start, dtype=np.int64)
            for loop, step in zip(self.loops, steps, strict=True):
                if loop.axis == number:
                    place = place + step
            inside = inside & (place >= 0) & (place < axis.size)
            found = found + axis.stride * place
        found = np.where(inside, found, 0)
        return (
            np.broadcast_to(found, sizes).reshape(-1),
            np.broadcast_to(inside, sizes).reshape(-1),
        )


def _span(loop: Loop) -> tuple[int, int]:
    """Return the least and the largest distance that a loop moves."""
    end = loop.stride * (loop.size - 1)
    return min(0, end), max(0, end)
