"""What a search answers, in the DICOM JSON Model (PS3.18 tables 10.6.3-3 to -5)."""

from __future__ import annotations

from node.adapters.database.index.searching import Hit
from node.core.dicomweb.attributes import RETURNED_TAGS, Level, tag_of, vr_of
from node.core.dicomweb.matching import AnyOf
from node.core.dicomweb.model import Json
from node.core.dicomweb.query import Query

# Those of an answer's own level that are there even without a value.
_ALWAYS = {
    Level.STUDY: (
        "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "PatientName", "PatientID",
        "PatientBirthDate", "PatientSex", "StudyID",
    ),
    Level.SERIES: ("Modality", "SeriesNumber"),
    Level.INSTANCE: ("InstanceNumber",),
}  # fmt: skip
_NAMES = {Level.STUDY: "StudyInstanceUID", Level.SERIES: "SeriesInstanceUID", Level.INSTANCE: "SOPInstanceUID"}


def result(hit: Hit, query: Query, base: str) -> Json:
    """One result; `base` is the URL of the service, with a slash at its end."""
    made: Json = {}
    fields = {tag_of(keyword) for keyword in query.fields}
    for level, attributes in hit.attributes.items():
        own = level is query.level
        usual = RETURNED_TAGS[level] if own or not _is_given(query, level) else frozenset[str]()
        made |= {tag: value for tag, value in attributes.items() if query.all_fields or tag in usual or tag in fields}
        if own:
            for keyword in _ALWAYS[level]:
                made.setdefault(tag_of(keyword), {"vr": vr_of(keyword)})
    made |= _computed(hit, query.level, base)
    return dict(sorted(made.items()))


def _is_given(query: Query, level: Level) -> bool:
    """Whoever asks below one study need not be told of it with every result."""
    asked = query.matches.get(_NAMES[level])
    return isinstance(asked, AnyOf) and len(asked.values) == 1


def _computed(hit: Hit, level: Level, base: str) -> Json:
    url = f"{base}studies/{hit.study_instance_uid}"
    made: Json = {"0020000D": _value("UI", hit.study_instance_uid), "00080056": _value("CS", "ONLINE")}
    if level is Level.STUDY:
        made["00080061"] = _value("CS", *hit.modalities)
        made["00201206"] = _value("IS", hit.series_count)
        made["00201208"] = _value("IS", hit.instance_count)
    else:
        url += f"/series/{hit.series_instance_uid}"
        made["0020000E"] = _value("UI", hit.series_instance_uid)
        made["00201209"] = _value("IS", hit.series_instance_count)
    if level is Level.INSTANCE:
        url += f"/instances/{hit.sop_instance_uid}"
        made["00080018"] = _value("UI", hit.sop_instance_uid)
        if hit.transfer_syntax_uid:
            made["00083002"] = _value("UI", hit.transfer_syntax_uid)  # Available Transfer Syntax UID
    made["00081190"] = _value("UR", url)
    return made


def _value(vr: str, *values: object) -> Json:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
