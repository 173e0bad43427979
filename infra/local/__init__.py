"""The local run: every service of the product under one supervisor, on loopback."""
