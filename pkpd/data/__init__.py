"""Data: event records of patients and posted results of arms, read and checked whole."""
