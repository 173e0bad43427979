"""From probabilities to what people are told: signals, risk profiles, alert rules."""
