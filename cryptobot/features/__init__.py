"""The feature set, defined once for Spark, training and live scoring."""
