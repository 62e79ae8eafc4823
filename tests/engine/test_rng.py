"""The generator against published vectors, an independent Philox, and its own slices.

Quantiles by themselves are tested in test_mathx.py, what paths draw in paths/.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.seeds import stream_id
from engine.mathx import normal_quantile
from engine.rng import fill_uniforms, philox, to_normals
from tests.oracles import philox as oracle

# kat_vectors of Random123 1.14: counter, key, output of philox4x32 with ten rounds
KNOWN = [
    ("0" * 32, "0" * 16, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("f" * 32, "f" * 16, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]
words = st.integers(0, 2**32 - 1)
longs = st.integers(0, 2**64 - 1)
seeds = st.integers(0, 2**63 - 1)


def split(text: str) -> tuple[int, ...]:
    digits = text.replace(" ", "")
    return tuple(int(digits[i : i + 8], 16) for i in range(0, len(digits), 8))


def engines(key: tuple[int, ...], counter: tuple[int, ...]) -> tuple[int, ...]:
    found = philox(*(np.uint64(word) for word in (*counter, *key)))
    return tuple(int(word) for word in found)


def block(seed: int, stream: int, start: int, n: int) -> np.ndarray:
    lanes = np.empty((2, n))
    fill_uniforms(np.uint64(seed), np.uint64(stream), start, lanes[0], lanes[1])
    return lanes


def preimage(key: tuple[int, int], words_out: tuple[int, int, int, int]) -> tuple[int, ...]:
    """Run the ten rounds backwards: the counter that a key maps to the given words."""
    c0, c1, c2, c3 = words_out
    keys = [
        ((key[0] + r * oracle.WEYL_0) % 2**32, (key[1] + r * oracle.WEYL_1) % 2**32)
        for r in range(oracle.ROUNDS)
    ]
    for k0, k1 in reversed(keys):
        b0 = c3 * pow(oracle.MULTIPLIER_0, -1, 2**32) % 2**32
        b2 = c1 * pow(oracle.MULTIPLIER_1, -1, 2**32) % 2**32
        b1 = c0 ^ (oracle.MULTIPLIER_1 * b2 >> 32) ^ k0
        b3 = c2 ^ (oracle.MULTIPLIER_0 * b0 >> 32) ^ k1
        c0, c1, c2, c3 = b0, b1, b2, b3
    return c0, c1, c2, c3


def address_of(seed: int, lane_0: int, lane_1: int) -> tuple[int, int]:
    """Return the stream and the index under which a seed makes these two 64-bit words."""
    key = (seed % 2**32, seed // 2**32)
    wanted = (lane_0 % 2**32, lane_0 // 2**32, lane_1 % 2**32, lane_1 // 2**32)
    c0, c1, c2, c3 = preimage(key, wanted)
    return c3 * 2**32 + c2, c1 * 2**32 + c0


def seed_with_index_below_2_63(lane_0: int, lane_1: int) -> tuple[int, int, int]:
    for seed in range(64):
        stream, index = address_of(seed, lane_0, lane_1)
        if index < 2**63:
            return seed, stream, index
    raise AssertionError("sixty-four coins in a row fell on one side")


@pytest.mark.parametrize(("counter", "key", "output"), KNOWN)
def test_the_published_vectors_come_out(counter, key, output):
    assert engines(split(key), split(counter)) == split(output)
    k0, k1 = split(key)
    c0, c1, c2, c3 = split(counter)
    assert oracle.philox((k0, k1), (c0, c1, c2, c3)) == split(output)


@given(st.tuples(words, words), st.tuples(words, words, words, words))
def test_every_block_equals_the_one_in_big_integers(key, counter):
    assert engines(key, counter) == oracle.philox(key, counter)


@given(seeds, longs, st.integers(0, 2**62))
def test_lanes_and_uniforms_are_those_of_the_documentation(seed, stream, index):
    found = block(seed, stream, index, 1)[:, 0]
    for lane in (0, 1):
        assert found[lane] == oracle.uniform(seed, stream, index, lane)


@given(seeds, st.integers(0, 2**40), st.integers(0, 400), st.integers(1, 400))
def test_any_slice_equals_the_slice_of_the_whole(seed, start, offset, n):
    stream = stream_id("a", "name")
    whole = block(seed, stream, start, offset + n)
    np.testing.assert_array_equal(block(seed, stream, start + offset, n), whole[:, offset:])


def test_indices_go_on_across_the_border_of_their_low_word():
    found = block(11, 5, 2**32 - 3, 6)
    wanted = [[oracle.uniform(11, 5, 2**32 - 3 + i, lane) for i in range(6)] for lane in (0, 1)]
    assert found.tolist() == wanted


@pytest.mark.parametrize(
    ("lane_0", "lane_1"),
    [(0, 2**64 - 1), (2**64 - 1, 0), (2**63, 2**63 - 1), (2**64 - 2**11, 2**64 - 2**11 - 1)],
)
def test_a_uniform_lies_strictly_inside_zero_and_one_for_the_extreme_words(lane_0, lane_1):
    seed, stream, index = seed_with_index_below_2_63(lane_0, lane_1)
    found = block(seed, stream, index, 1)[:, 0]
    assert (found > 0).all()
    assert (found < 1).all()
    to_normals(found)
    assert (np.abs(found) < 8.4).all()


def test_streams_are_the_digests_of_their_names():
    for name in ("paths/trend/close", "paths/regime_switch/regime"):
        assert stream_id(*name.split("/")) == oracle.stream(name)


def test_normals_are_the_quantiles_of_the_uniforms():
    found = block(1, 2, 0, 5000)[0]
    to_normals(found)
    wanted = np.array([oracle.normal(1, 2, i, 0) for i in range(5000)])
    # near one a double holds the uniform only to 2⁻⁵⁴, which the slope of the quantile widens
    rounding = 2.0**-54 * np.sqrt(2 * np.pi) * np.exp(0.5 * wanted**2)
    assert (np.abs(found - wanted) <= rounding + 4e-15 * np.abs(wanted)).all()


@pytest.mark.parametrize("far", [2.0**-54, 1e-12, 1.0 - 2.0**-53])
def test_a_draw_from_the_far_tail_changes_no_bit_of_its_neighbours(far):
    values = block(3, 2, 0, 1001)[0]
    alone, together = values.copy(), np.insert(values, 500, far)
    to_normals(alone)
    to_normals(together)
    one_by_one = [normal_quantile(float(p)) for p in values]
    assert alone.tolist() == np.delete(together, 500).tolist() == one_by_one
    assert together[500] == normal_quantile(far)


def test_lanes_seeds_streams_and_neighbours_are_uncorrelated():
    n = 200_000
    here, beside = block(1, 2, 0, n)
    others = [beside, block(2, 2, 0, n)[0], block(1, 3, 0, n)[0], block(1, 2, 1, n)[0]]
    for other in others:
        assert abs(np.corrcoef(here, other)[0, 1]) < 4.5 / np.sqrt(n)
