"""Signals and alerts."""
