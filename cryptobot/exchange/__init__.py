"""The exchange: REST paced by its weight header, live streams, and the public archive."""
