"""Query SCU (PS3.4 annex C): how many instances a PACS has of a series."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined] # at import

from node.adapters.association import RemoteAE, associated
from node.core.dicom.elements import Elements
from node.errors import DestinationUnavailable

_PENDING = (0xFF00, 0xFF01)


def related_instances(remote: RemoteAE, study_instance_uid: str, series_instance_uid: str) -> int | None:
    """NumberOfSeriesRelatedInstances; None when the PACS does not know the series or does not count.

    Raises DestinationUnavailable when it does not answer.
    """
    asked = Dataset()
    asked.QueryRetrieveLevel = "SERIES"
    asked.StudyInstanceUID, asked.SeriesInstanceUID = study_instance_uid, series_instance_uid
    asked.NumberOfSeriesRelatedInstances = None
    count: int | None = None
    with associated(remote, StudyRootQueryRetrieveInformationModelFind) as association:
        for status, found in association.send_c_find(asked, StudyRootQueryRetrieveInformationModelFind):
            code = status.get("Status")
            if code in _PENDING and found is not None:
                count = _count(found, series_instance_uid, count)
            elif code != 0x0000:
                said = "does not answer C-FIND" if code is None else f"answers C-FIND with {code:04X}"
                raise DestinationUnavailable(f"{remote} {said}")
    return count


def _count(found: Dataset, series_instance_uid: str, before: int | None) -> int | None:
    """A PACS that does not know the key SeriesInstanceUID answers with every series of the study."""
    read = Elements(found)
    if read.first("SeriesInstanceUID") != series_instance_uid:
        return before
    number = read.integer("NumberOfSeriesRelatedInstances", "IS")
    return number if number is not None and number > 0 else before
