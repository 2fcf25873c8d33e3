"""Responses of the skin by name: what makes a patient a responder, and how people write it."""

from __future__ import annotations

EASI_THRESHOLDS = {"EASI50": 0.5, "EASI75": 0.25, "EASI90": 0.1}
"""Share of the patient's own baseline EASI at or below which a visit shows the response."""
IGA = "IGA01"
"""Clear or almost clear skin: vIGA-AD 0 or 1."""
RESPONSES = {**{name: f"EASI-{name[4:]}" for name in EASI_THRESHOLDS}, IGA: "IGA 0/1"}
"""Every response as the data files name it, and as people write it; the easiest EASI first."""
