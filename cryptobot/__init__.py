"""The domain of CryptoBot, shared by all of its services and importing none of them."""
