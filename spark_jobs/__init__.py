"""Batch: exchange -> historical_data -> features -> models."""
