"""Inputs for property tests: floats with the infinities, nan, zeros of both signs, kinks, ties, and large numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from straightthrough.testing import _numbers as num

SPECIAL = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 0.1, -0.1, 1.5, 2.5, 258.0, 516.0, 33554436.0, np.inf, -np.inf, np.nan]


def normal_numbers(dtype: str) -> st.SearchStrategy[float]:
    """Floats of a dtype without subnormals, which XLA and TensorFlow flush; those have a test of their own."""
    smallest = 2.0**-14 if dtype == "float16" else num.UNDERFLOW[dtype]
    wide = st.floats(-num.LARGEST[dtype], num.LARGEST[dtype], allow_nan=False)
    return wide.filter(lambda v: v == 0 or abs(v) >= smallest)


def arrays(dtype: str, size: int = 8) -> st.SearchStrategy[np.ndarray]:
    """Arrays of one fixed size, so that compiled kernels are found again."""
    ordinary = st.floats(-4, 4).filter(lambda v: v == 0 or abs(v) > 1e-4)
    element = st.one_of(st.sampled_from(SPECIAL), ordinary, normal_numbers(dtype))
    return st.lists(element, min_size=size, max_size=size).map(lambda found: num.rounded(np.array(found), dtype))
