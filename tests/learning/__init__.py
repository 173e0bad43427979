"""Labels, splits, training, evaluation."""
