"""Throttling: how often is too often, and who guesses passwords waits."""
