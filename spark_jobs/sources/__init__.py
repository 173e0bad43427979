"""Spark data sources that read the exchange."""
