"""Validation that can fail: parts left out, predicted from the rest, written down, then scored."""
