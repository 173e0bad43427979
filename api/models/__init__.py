"""Models and what they predict."""
