"""Log-in: tokens, their renewal, and the session of a browser."""
