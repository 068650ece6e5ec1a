"""An order of a rack's outward ports that a search found, for `topologies.orders`."""

# What `topologies.annealing.annealed_order(steps=200_000, seed=1)` returns, which takes
# some 40 minutes: 4.829 hops on average at 145 racks, 4.876 for where it starts.
# Entry k is the outward port that goes to the rack k + 1 further round the ring.
# fmt: off
ANNEALED_ORDER = (
    98, 102, 66, 59, 33, 7, 106, 6, 92, 110, 91, 64, 84, 22, 137, 54, 100, 40, 75,
    115, 78, 130, 90, 10, 39, 45, 3, 34, 99, 83, 36, 72, 4, 25, 0, 87, 131, 47, 109,
    123, 117, 108, 43, 116, 96, 49, 127, 133, 93, 132, 73, 124, 13, 52, 71, 31, 125,
    114, 129, 44, 56, 126, 15, 9, 105, 62, 135, 60, 120, 70, 35, 140, 42, 55, 112,
    97, 74, 65, 81, 103, 32, 19, 121, 101, 46, 86, 80, 20, 122, 41, 141, 119, 50,
    89, 67, 94, 69, 23, 107, 14, 57, 77, 76, 143, 30, 68, 28, 58, 51, 53, 104, 88,
    138, 79, 118, 2, 85, 111, 48, 24, 8, 21, 11, 136, 82, 27, 26, 63, 61, 17, 37, 5,
    139, 128, 38, 29, 18, 95, 134, 142, 12, 1, 113, 16,
)
# fmt: on
