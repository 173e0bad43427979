"""What good data means: suites, checkpoints, reports."""
