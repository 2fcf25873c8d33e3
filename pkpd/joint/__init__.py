"""Arm-level results and individual records under one set of free numbers: one log-density."""
