"""How Spark is run, how it reaches MongoDB, and the one line that says why a job failed."""
