"""Continuity of the live feed: what the exchange numbered and did not send is seen, asked for and filled."""
