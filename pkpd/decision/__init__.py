"""What to do: intervals weighed by what they keep and what that costs; trials planned."""
