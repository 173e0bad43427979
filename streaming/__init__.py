"""Live: exchange -> Kafka -> streaming_data."""
