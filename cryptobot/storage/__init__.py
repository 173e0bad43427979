"""MongoDB: collections, their indexes and retention, and the repositories that query them."""
