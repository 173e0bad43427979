"""FastAPI: what programs read, and the champion model served with hot reload."""
