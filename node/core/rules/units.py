"""Units of attributes, as their definitions in PS3.3 state them, and numbers written with a unit.

A header holds the bare number; only the standard says that EchoTime is in milliseconds. In a rule the unit may be
written, and is then checked and converted: `EchoTime: {below: 0.03 s}`.
"""

from __future__ import annotations

import re

from node.core.rules.folding import shown
from node.core.rules.kinds import number
from node.core.rules.mistakes import Wrong

_WRITTEN = re.compile(r"([+-]?[\d.][\d.eE+-]*?)\s*([a-zA-Zµμ°%][\w/²^µμ°%]*)")
_SCALES: dict[str, dict[str, float]] = {  # units of one kind, by how many of the first they are
    "time": {"ms": 1.0, "us": 1e-3, "µs": 1e-3, "s": 1e3, "min": 6e4, "h": 3.6e6},
    "length": {"mm": 1.0, "um": 1e-3, "µm": 1e-3, "cm": 10.0, "m": 1e3},
    "frequency": {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6},
    "field": {"T": 1.0, "mT": 1e-3, "uT": 1e-6, "µT": 1e-6, "G": 1e-4},
    "angle": {"degrees": 1.0, "degree": 1.0, "deg": 1.0, "°": 1.0, "rad": 57.29577951308232},
    "mass": {"kg": 1.0, "g": 1e-3},
    "volume": {"ml": 1.0, "mL": 1.0, "l": 1e3, "L": 1e3},
    "b-value": {"s/mm2": 1.0, "s/mm²": 1.0, "s/mm^2": 1.0},
    "bandwidth": {"Hz/px": 1.0, "Hz/pixel": 1.0, "kHz/px": 1e3},
    "speed": {"cm/s": 1.0, "mm/s": 0.1, "m/s": 100.0},
    "flow": {"ml/s": 1.0, "mL/s": 1.0},
    "concentration": {"mg/ml": 1.0, "mg/mL": 1.0},
    "absorption": {"W/kg": 1.0},
    "share": {"%": 1.0},
    "shift": {"ppm": 1.0},
    "rate": {"bpm": 1.0},
    "voltage": {"kV": 1.0},
    "current": {"mA": 1.0},
}
_SCALE_OF = {unit: (kind, factor) for kind, units in _SCALES.items() for unit, factor in units.items()}
UNITS = {
    **dict.fromkeys(
        (
            "EchoTime", "EffectiveEchoTime", "RepetitionTime", "InversionTime", "InversionTimes", "TriggerTime",
            "NominalInterval", "LowRRValue", "HighRRValue", "FrameAcquisitionDuration", "TemporalResolution",
            "ExposureTime",
        ),
        "ms",
    ),
    **dict.fromkeys(("AcquisitionDuration", "ContrastBolusStartTimeRelative", "LabelingDuration"), "s"),
    **dict.fromkeys(
        (
            "SliceThickness", "SpacingBetweenSlices", "PixelSpacing", "ImagerPixelSpacing", "ReconstructionDiameter",
            "ReconstructionFieldOfView", "SliceLocation", "ImagePositionPatient", "TableHeight", "series.spacing",
        ),
        "mm",
    ),
    **dict.fromkeys(("ImagingFrequency", "TransmitterFrequency"), "MHz"),
    **dict.fromkeys(("PercentSampling", "PercentPhaseFieldOfView"), "%"),
    **dict.fromkeys(("VelocityEncodingMinimumValue", "VelocityEncodingMaximumValue"), "cm/s"),
    **dict.fromkeys(("ContrastBolusVolume", "ContrastBolusTotalDose"), "ml"),
    "B1rms": "uT",
    "ChemicalShiftReference": "ppm",
    "ContrastBolusIngredientConcentration": "mg/ml",
    "ContrastFlowRate": "ml/s",
    "DiffusionBValue": "s/mm2",
    "FlipAngle": "degrees",
    "HeartRate": "bpm",
    "KVP": "kV",
    "MagneticFieldStrength": "T",
    "PatientSize": "m",
    "PatientWeight": "kg",
    "PixelBandwidth": "Hz/px",
    "SAR": "W/kg",
    "SpectralWidth": "Hz",
    "XRayTubeCurrent": "mA",
}  # fmt: skip


def measured(name: str, unit: str, text: str) -> float | Wrong | None:
    """A number written with a unit, in the unit of the attribute of that name. None: it is not written so."""
    found = _WRITTEN.fullmatch(text)
    value = number(found[1]) if found else None
    if found is None or value is None:
        return None
    written = found[2].replace("μ", "µ")
    if not unit:
        return Wrong(f"{name} has no unit that DICOM states", f"Write {shown(found[1])} alone")
    kind, factor = _SCALE_OF.get(written, ("", 0.0))
    mine, mine_factor = _SCALE_OF[unit]
    if kind != mine:
        return Wrong(f"'{shown(text)}' can never be {name}, which is in {unit}", f"Write it like 3 {unit}")
    return value * (factor / mine_factor)
