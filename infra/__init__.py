"""What runs CryptoBot: the local supervisor, images, monitoring, and the offline exchange."""
