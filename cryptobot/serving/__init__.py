"""Model bundles, their registry in MongoDB, and the hot-reloading store."""
