"""Labels, walk-forward splits, training, evaluation and backtests."""
