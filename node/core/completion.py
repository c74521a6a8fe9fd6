"""Is a series complete? A function of what is stored and of the time, never of an association's end.

Nothing in DICOM ends a series, so evidence is weighed. Every piece of it answers one question only: how long
must nothing have arrived before the series counts as complete? Hence a verdict can only turn from no to yes
while nothing arrives, and every series is complete at last after `Policy.longest_seconds` of quiet.

    evidence                                                      quiet that is waited for
    the modality reported these instances (MPPS, PS3.4 F)         none
    a PACS counts as many (C-FIND NumberOfSeriesRelatedInstances) settle: it may still be receiving
    multi-frame images with all their frames                      settle: a series may hold several
    Images in Acquisition reached, and the grid is whole          settle: it counts an acquisition, not a series
    as many as this protocol sent every time before               settle
    a grid without gap                                            grid: an end slice may be missing
    nothing                                                       quiet
    a count that is not reached, or counts that disagree          quiet, never less
    a gap in the grid; fewer than the modality or PACS has        longest
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from node.core.dicom import Facts
from node.core.volume import Assessment, assess

Confidence = Literal["certain", "strong", "timer"]


@dataclass(frozen=True)
class Arrivals:
    """When instances of the series came."""

    first: datetime
    last: datetime


@dataclass(frozen=True)
class Known:
    """What others say about the series; None or empty: nobody was asked."""

    mpps_instances: frozenset[str] | int | None = None  # SOPInstanceUIDs, or how many, of a COMPLETED MPPS
    related_instances: int | None = None  # NumberOfSeriesRelatedInstances of a PACS
    earlier_counts: tuple[int, ...] = ()  # instances of earlier series of this sender and protocol


@dataclass(frozen=True)
class Policy:
    """Seconds without arrival that are waited for."""

    quiet_seconds: float = 60.0  # when nothing is known
    settle_seconds: float = 5.0  # when a count is reached
    grid_seconds: float = 20.0  # when the slices are a grid without gap
    longest_seconds: float = 600.0  # when something is known to be missing; always enough


@dataclass(frozen=True)
class Verdict:
    """Complete or not, and why."""

    complete: bool
    evidence: str  # none, mpps, related, earlier, acquisition, series, frames, grid, gap, conflict, quiet
    sentence: str  # for people: what was seen
    confidence: Confidence
    look_again_at: datetime | None  # when the verdict changes if nothing arrives; None: when something does


@dataclass(frozen=True)
class _Claim:
    """Somebody's count of the instances of this series."""

    evidence: str
    words: str
    expected: int
    present: int
    confidence: Confidence
    firm: bool = False  # the word of the modality or of a PACS, not a number that may count something else
    strangers: int = 0  # instances that are here and not on the list

    @property
    def said(self) -> str:
        """35 of 35 Images in Acquisition."""
        return f"{self.present} of {self.expected} {self.words}"


@dataclass(frozen=True)
class _Wait:
    seconds: float
    evidence: str
    said: str
    confidence: Confidence = "timer"


def judge(instances: Sequence[Facts], arrivals: Arrivals, known: Known, policy: Policy, now: datetime) -> Verdict:
    """Judge a series by the facts of all its instances. Pure; raises nothing."""
    if not instances:
        return Verdict(False, "none", "no instance has arrived", "timer", None)
    wait = _wait(instances, known, policy)
    seconds = max(0.0, min(wait.seconds, policy.longest_seconds))
    quiet = max(0.0, (now - arrivals.last).total_seconds())
    due = arrivals.last + timedelta(seconds=seconds)  # datetimes are compared: seconds lose to their rounding
    if seconds == 0 or now >= due:
        return Verdict(True, wait.evidence, f"{wait.said}, quiet for {quiet:.0f} s", wait.confidence, None)
    sentence = f"{wait.said}, quiet for {quiet:.0f} of {seconds:.0f} s"
    return Verdict(False, wait.evidence, sentence, wait.confidence, due)


def _wait(instances: Sequence[Facts], known: Known, policy: Policy) -> _Wait:
    present = frozenset(image.sop_instance_uid for image in instances)
    assessment = assess(instances)
    claims = _claims(instances, present, known)
    if _conflict(claims):
        return _Wait(policy.quiet_seconds, "conflict", f"counts disagree ({_listed(claims)})")
    short = [claim for claim in claims if claim.present < claim.expected]
    if short:
        return _short(short[0], assessment, policy)
    if claims:
        return _reached(claims[0], assessment, policy)
    return _uncounted(instances, assessment, policy)


def _claims(instances: Sequence[Facts], present: frozenset[str], known: Known) -> list[_Claim]:
    """What is claimed, the strongest first."""
    found = (
        _reported(present, known.mpps_instances),
        _counted(len(present), known.related_instances),
        _in_acquisition(instances, len(present)),
        _in_series(instances, len(present)),
        _earlier(len(present), known.earlier_counts),
    )
    return [claim for claim in found if claim is not None]


def _reported(present: frozenset[str], reported: frozenset[str] | int | None) -> _Claim | None:
    words = "instances that the modality reported"
    if isinstance(reported, int):
        return _Claim("mpps", words, reported, len(present), "certain", firm=True) if reported > 0 else None
    if not reported:
        return None
    strangers = len(present - reported)
    return _Claim("mpps", words, len(reported), len(present & reported), "certain", firm=True, strangers=strangers)


def _counted(present: int, related: int | None) -> _Claim | None:
    if not related or related < 0:
        return None
    return _Claim("related", "instances that the PACS has", related, present, "strong", firm=True)


def _in_acquisition(instances: Sequence[Facts], present: int) -> _Claim | None:
    """(0020,1002) counts an acquisition: of use only where the series is one, and not one of single images."""
    acquisitions = {image.frames[0].acquisition_number for image in instances if image.frames}
    stated = {image.images_in_acquisition for image in instances}
    if len(acquisitions) != 1 or len(stated) != 1 or any(image.multi_frame for image in instances):
        return None
    count = stated.pop()
    return _Claim("acquisition", "Images in Acquisition", count, present, "strong") if count and count > 1 else None


def _in_series(instances: Sequence[Facts], present: int) -> _Claim | None:
    stated = {image.images_in_series for image in instances}
    count = stated.pop() if len(stated) == 1 else None
    return _Claim("series", "images in the series (GE)", count, present, "strong") if count and count > 1 else None


def _earlier(present: int, counts: tuple[int, ...]) -> _Claim | None:
    """Two earlier series may set an expectation; one may have been cut short itself."""
    if len(counts) < 2 or len(set(counts)) != 1 or counts[0] < 1:
        return None
    return _Claim("earlier", "instances, as in every earlier series of this protocol", counts[0], present, "strong")


def _conflict(claims: Sequence[_Claim]) -> bool:
    more = any(claim.present > claim.expected or claim.strangers for claim in claims)
    return more or len({claim.expected for claim in claims}) > 1


def _listed(claims: Sequence[_Claim]) -> str:
    return "; ".join(claim.said + (f" and {claim.strangers} others" if claim.strangers else "") for claim in claims)


def _short(claim: _Claim, assessment: Assessment | None, policy: Policy) -> _Wait:
    gap = assessment is not None and assessment.missing > 0
    seconds = policy.longest_seconds if claim.firm or gap else policy.quiet_seconds
    return _Wait(seconds, claim.evidence, claim.said)


def _reached(claim: _Claim, assessment: Assessment | None, policy: Policy) -> _Wait:
    if claim.evidence == "mpps":
        return _Wait(0.0, claim.evidence, claim.said, claim.confidence)
    whole = assessment is not None and assessment.whole
    gap = assessment is not None and assessment.missing > 0
    # a header's count says nothing of echoes and phases to come; that all places are filled supports it
    supported = claim.firm or (whole if claim.evidence in ("acquisition", "series") else not gap)
    if supported:
        return _Wait(policy.settle_seconds, claim.evidence, claim.said, claim.confidence)
    return _Wait(policy.quiet_seconds, claim.evidence, f"{claim.said}, but the slices are not a whole grid")


def _uncounted(instances: Sequence[Facts], assessment: Assessment | None, policy: Policy) -> _Wait:
    """Nobody gives a count."""
    if assessment is not None and assessment.missing:
        slices = "1 slice" if assessment.missing == 1 else f"{assessment.missing} slices"
        said = f"{slices} missing among {_distinct(instances)} images"
        return _Wait(policy.longest_seconds, "gap", said)
    if all(image.multi_frame for image in instances):
        return _multi_frame(instances, policy)
    if assessment is not None and assessment.whole and _all_stated(instances, assessment):
        seconds = min(policy.grid_seconds, policy.quiet_seconds)
        times = f"{assessment.volumes} times " if assessment.volumes > 1 else ""
        return _Wait(seconds, "grid", f"{times}grid of {assessment.slices} slices without gap")
    return _Wait(policy.quiet_seconds, "quiet", f"{_distinct(instances)} instances")


def _multi_frame(instances: Sequence[Facts], policy: Policy) -> _Wait:
    declared = sum(image.number_of_frames or 1 for image in instances)
    described = sum(len(image.frames) for image in instances)
    parts = _distinct(instances)
    expected = max(image.concatenation_total or 1 for image in instances)
    if declared != described or parts < expected:
        return _Wait(policy.quiet_seconds, "quiet", f"{described} of {declared} frames described in {parts} instances")
    said = f"{described} of {declared} frames"
    return _Wait(policy.settle_seconds, "frames", said, "strong")


def _distinct(instances: Sequence[Facts]) -> int:
    return len({image.sop_instance_uid for image in instances})


def _all_stated(instances: Sequence[Facts], assessment: Assessment) -> bool:
    """Whether as many slices and temporal positions are there as the headers announce."""
    slices = max((image.number_of_slices or 0 for image in instances), default=0)
    announced = max((image.number_of_temporal_positions or 0 for image in instances), default=0)
    times = {frame.temporal_position for image in instances for frame in image.frames}
    return assessment.slices >= slices and (announced < 2 or len(times) >= announced)
