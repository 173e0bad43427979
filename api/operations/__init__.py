"""What operators and monitors ask: alive, ready, metrics, pipeline, quality."""
