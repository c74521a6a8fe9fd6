"""Coded concepts (PS3.3 section 8) as one text that is equal for equal concepts."""

from __future__ import annotations

_SNOMED_RT = frozenset({"SRT", "SNM3", "99SDM"})  # PS3.16 section 8.1.1: the same codes under three designators


def concept(scheme: str, value: str) -> str:
    """SCHEME:VALUE. Codes in the style of SNOMED RT become those of SNOMED CT that PS3.16 Annex O says are the same."""
    scheme, value = scheme.strip().upper(), value.strip()
    if scheme in _SNOMED_RT:
        from pydicom.sr._snomed_dict import mapping  # only here: all of pydicom's dictionaries of codes come with it

        known = mapping["SRT"].get(value)
        return f"SCT:{known}" if known else f"SRT:{value}"
    return f"{scheme}:{value}"
