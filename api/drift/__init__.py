"""How far from its training the market of a model is."""
