"""The feature set."""
