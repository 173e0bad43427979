"""The pages, each registered with Dash under its address."""
