"""Dash: what people see; reads the API only."""
