"""What models would have earned on candles that they had not learned from."""
