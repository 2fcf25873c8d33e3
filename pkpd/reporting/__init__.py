"""Figures, tables and one self-contained HTML page from a fit folder."""

from pkpd.reporting.page import report

__all__ = ["report"]
