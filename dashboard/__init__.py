"""Dash: what people see. Reads the API only."""
