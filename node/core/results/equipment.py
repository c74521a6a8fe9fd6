"""Who made a result: the attributes of the node and the model that the SEG and the SR carry alike."""

from __future__ import annotations

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
_MOST_SERIES = 10_000_000  # keeps SeriesNumber within an IS (PS3.5 6.2)


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
    }
    return {name: value for name, value in known.items() if value}


def series_number(source: Source, origin: Origin, offset: int) -> int:
    """SeriesNumber of a result: away from the scanner's numbers, and next to those of the same source series."""
    number = source.series_number or 0
    return origin.series_number_base + 10 * (number if 0 < number < _MOST_SERIES else 0) + offset


def series_description(origin: Origin, kind: str) -> str:
    """Series Description: kind, title of the model, volume key, and the version from the second result on."""
    version = f"v{origin.result_version}" if origin.result_version > 1 else ""
    return short(" ".join(part for part in (kind, origin.card.title, origin.volume_key, version) if part))


def software_versions(origin: Origin) -> tuple[str]:
    """Software Versions: of the model, then of the node."""
    versions = (short(origin.card.version), short(origin.node_version))
    return cast("tuple[str]", versions)  # highdicom takes any number of them, its annotation one


def made_by(ds: Dataset, origin: Origin) -> None:
    """Name the node and the model as the equipment (PS3.3 C.7.5.1) of an object that highdicom has not made."""
    ds.Manufacturer, ds.ManufacturerModelName = short(origin.manufacturer), short(origin.card.name)
    ds.DeviceSerialNumber = short(origin.device_serial_number)
    ds.SoftwareVersions = list(software_versions(origin))


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
