"""The feature set, defined once for Spark, training and live scoring."""

from cryptobot.features.computation import FeatureInputError, compute, other_symbol
from cryptobot.features.feature_set import FEATURE_SET, Feature, FeatureSet
from cryptobot.features.reach import reach_ms

__all__ = ["FEATURE_SET", "Feature", "FeatureInputError", "FeatureSet", "compute", "other_symbol", "reach_ms"]
