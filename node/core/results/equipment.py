"""Who made a result: the attributes of the node and the model that the SEG and the SR carry alike."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import cast

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.core.card import Code
from node.core.results.hygiene import legal_text
from node.core.results.origin import Origin
from node.core.results.planes import Source

# IHE Radiology, AI Results (AIR), 6.5.3.1: one Contributing Equipment item per algorithm, with this purpose
_PROCESSING_ALGORITHM = Code("Newcode1", "99IHE", "Processing Algorithm")
_ACQUISITION = codes.DCM.AcquisitionEquipment
_SCANNER = ("Manufacturer", "InstitutionName", "StationName", "ManufacturerModelName", "DeviceSerialNumber")
_MOST_SERIES = 9_000  # of a source; keeps its part of SeriesNumber below _PLACES
_PLACES = 100_000  # SeriesNumber has a place above this; 9999 of them fit into an IS (PS3.5 6.2)
_LONG_STRING = 64  # characters of an LO (PS3.5 6.2)


def short(text: str, length: int = 64) -> str:
    """The text in one line, cut to the length of its VR (LO: 64 characters, PS3.5 6.2), without backslashes."""
    return " ".join(text.replace("\\", "/").split())[:length].strip()


def coded(code: Code) -> hd.sr.CodedConcept:
    """A code of a card as a Code Sequence item (PS3.3 8.8)."""
    return hd.sr.CodedConcept(code.value, code.scheme, short(code.meaning))


def algorithm_parameters(origin: Origin) -> dict[str, str]:
    """What else must be known to run the model again in the same way."""
    known = {
        "weights_sha256": origin.card.weights.sha256,
        "card_sha256": origin.card.sha256,
        "inputs_sha256": origin.inputs_sha256,
        "rule": short(origin.rule),
        "rule_set_version": short(origin.rule_set_version),
        "volume": short(origin.volume_key),
        "result_version": str(origin.result_version),
        **{f"input_{name}": uid for name, uid in origin.inputs},
        **_likeness(origin),
    }
    return {name: value for name, value in known.items() if value}


def _likeness(origin: Origin) -> dict[str, str]:
    """By which reference a series was judged, and what came of it."""
    found = origin.oddity
    if found is None:
        return {}
    told = {"ood_score": f"{found.score:g}", "ood_percentile": f"{found.percentile:g}"}
    return told | {"calibration_sha256": found.calibration}


def series_number(source: Source, origin: Origin, offset: int) -> int:
    """SeriesNumber of a result: away from the scanner's numbers.

    The last digit says the form, those before it the source series (9000 + 10 * its number); four digits before
    these stand for model and volume; the next result of the same is one higher. A result does not know the others
    of its series, so the four are drawn from a hash: two models get the same once in ten thousand.
    """
    number = source.series_number or 0
    own = origin.series_number_base + 10 * (number if 0 < number < _MOST_SERIES else 0) + offset
    return own % _PLACES + _PLACES * _place(origin)


def _place(origin: Origin) -> int:
    """From 1 to 9999."""
    named = "\x1f".join((origin.card.name, origin.card.version, origin.volume_key))
    drawn = int.from_bytes(hashlib.sha256(named.encode()).digest()[:8], "big")
    return 1 + (drawn + origin.result_version) % 9999


def series_description(origin: Origin, kind: str) -> str:
    """Series Description: kind, title and version of the model, volume key, and from the second result on its number.

    What tells results apart is never cut off: the title is what gives way.
    """
    again = f"result {origin.result_version}" if origin.result_version > 1 else ""
    apart = [short(part, length) for part, length in ((origin.card.version, 12), (origin.volume_key, 24), (again, 12))]
    end = " ".join(part for part in apart if part)
    title = short(f"{kind} {origin.card.title}", _LONG_STRING - len(end) - 1)
    return f"{title} {end}".strip()


def software_versions(origin: Origin) -> tuple[str]:
    """Software Versions: of the model, then of the node."""
    versions = [short(origin.card.version), short(origin.node_version)]
    return cast("tuple[str]", versions)  # of the right type for pydicom only as a list; highdicom hands on what it gets


def made_by(ds: Dataset, origin: Origin) -> None:
    """Name the node and the model as the equipment (PS3.3 C.7.5.1) of an object that highdicom has not made."""
    ds.Manufacturer, ds.ManufacturerModelName = short(origin.manufacturer), short(origin.card.name)
    ds.DeviceSerialNumber = short(origin.device_serial_number)
    ds.SoftwareVersions = software_versions(origin)


def complete(made: Dataset, source: Source, origin: Origin, moment: datetime) -> Dataset:
    """A plain data set of what highdicom made, with everything replaced that depends on its clock."""
    out = Dataset()
    out.update(made)
    date, time = moment.strftime("%Y%m%d").zfill(8), moment.strftime("%H%M%S.%f").removesuffix(".000000")
    out.InstanceCreationDate = out.ContentDate = out.SeriesDate = date
    out.InstanceCreationTime = out.ContentTime = out.SeriesTime = time
    if "TimezoneOffsetFromUTC" in source.inherited.header:
        out.TimezoneOffsetFromUTC = source.inherited.header.TimezoneOffsetFromUTC
    if origin.institution:
        out.InstitutionName = short(origin.institution)
    out.ContributingEquipmentSequence = _contributing(source, origin)
    return out


def _contributing(source: Source, origin: Origin) -> list[Dataset]:
    model = Dataset()
    model.PurposeOfReferenceCodeSequence = [coded(_PROCESSING_ALGORITHM)]
    model.Manufacturer = short(origin.card.weights.origin) or origin.manufacturer
    model.ManufacturerModelName = short(origin.card.name)
    model.SoftwareVersions = short(origin.card.version)
    model.ContributionDescription = short(origin.card.title, 1024)
    scanner = _scanner(source)
    return [scanner, model] if scanner is not None else [model]


def _scanner(source: Source) -> Dataset | None:
    """The equipment that acquired the sources; Manufacturer is Type 1 here (PS3.3 C.12.1.1.5)."""
    header, item = source.headers[0], Dataset()
    for keyword in _SCANNER:
        if text := legal_text(header, keyword):
            setattr(item, keyword, text)
    if "Manufacturer" not in item:
        return None
    item.PurposeOfReferenceCodeSequence = [hd.sr.CodedConcept.from_code(_ACQUISITION)]
    return item
