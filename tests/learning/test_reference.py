"""The reference that drift is measured against: ten bins, their edges, the share of each."""

from __future__ import annotations

import numpy as np
import pytest

from cryptobot.learning.reference import PROBABILITY_EDGES, by_deciles, reference, shares
from tests.learning.planted import dataset


def test_deciles_part_values_into_ten_alike() -> None:
    found = by_deciles(np.arange(1, 1_001, dtype=np.float32)[::-1])
    assert found.edges == (100, 200, 300, 400, 500, 600, 700, 800, 900)
    np.testing.assert_allclose(found.shares, 0.1, atol=0.002)


def test_a_feature_of_few_values_has_empty_bins() -> None:
    found = by_deciles(np.repeat([0.0, 1.0], [75, 25]))
    assert found.edges == (0, 0, 0, 0, 0, 0, 0, 1, 1)
    assert found.shares == (0, 0, 0, 0, 0, 0, 0, 0.75, 0, 0.25)


def test_values_beyond_the_edges_are_in_the_outermost_bins() -> None:
    found = shares(np.array([-5.0, 0.1, 0.95, 7.0]), PROBABILITY_EDGES)
    assert found == (0.25, 0.25, 0, 0, 0, 0, 0, 0, 0, 0.5)


def test_the_reference_is_of_every_feature_and_class() -> None:
    data = dataset()
    random = np.random.default_rng(0)
    probabilities = random.dirichlet((1, 1, 1), size=400)
    found = reference(data, probabilities, {"sell": None, "hold": 0.5, "buy": 0.4})
    assert tuple(found.features) == data.names
    assert tuple(found.predictions) == ("sell", "hold", "buy")
    assert found.hit_rate == {"buy": 0.4, "sell": None}
    assert found.rows == len(data.rows)
    for distribution in (*found.features.values(), *found.predictions.values()):
        assert len(distribution.edges) == 9
        assert sum(distribution.shares) == pytest.approx(1)
    assert found.predictions["buy"].shares[0] == pytest.approx((probabilities[:, 2] < 0.1).mean())
