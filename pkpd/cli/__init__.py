"""The command line."""

from pkpd.cli.app import main

__all__ = ["main"]
