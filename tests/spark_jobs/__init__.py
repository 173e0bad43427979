"""The Spark jobs, on the real Spark and MongoDB."""
