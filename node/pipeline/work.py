"""Work: one attempt at one job.

    infer ─▶ encode ─▶ check ─▶ keep ─▶ deliver

A result that the check finds wrong never leaves. Labels are durable before anything is encoded, results before
anything is delivered, so a second attempt begins where the first was cut off. Repeating a step is harmless: results
are a function of sources, model and rules. Between steps, and while the model works, an attempt asks whether the job
is still its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from numpy.typing import NDArray

from node import __version__
from node.adapters.database import Database, claims, conclusions, pauses
from node.adapters.database import jobs as rows
from node.adapters.database.conclusions import Shown, note_shown
from node.adapters.decoding import Decoder, Pixels
from node.adapters.files import Files
from node.adapters.objects import ResultFiles
from node.adapters.telemetry import OFF, Tracing
from node.core.conclusions import likeness
from node.core.jobs import Finding, Job, MadeResult
from node.core.ood import Oddity
from node.core.results import (
    SR_FORMS,
    Form,
    Origin,
    Predecessor,
    Results,
    SegmentMeasurement,
    encode,
    to_bytes,
    verify,
)
from node.core.states import Stage
from node.core.volume import Volume
from node.errors import DestinationUnavailable, OnHold, ResultRejected, StoreUnavailable
from node.pipeline.concluding import Concluding, Reconsider
from node.pipeline.delivery import Delivering
from node.pipeline.forms import Choice, sent_to, to_make
from node.pipeline.inferred import Inferred
from node.pipeline.inputs import Prepared, Preparing, numbers, slices_for
from node.pipeline.models import Models, blank

_log = structlog.get_logger(__name__)


class JobGoneError(Exception):
    """Somebody canceled or superseded the job: the attempt ends without a trace."""


@dataclass
class Stopwatch:
    """Seconds per stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    tracing: Tracing = OFF

    @contextmanager
    def measuring(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            with self.tracing.step(stage):
                yield
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - begin, 4)


@dataclass(frozen=True)
class Work:
    """What an attempt needs."""

    database: Database
    files: Files
    results: ResultFiles
    decoder: Decoder
    models: Models
    delivery: Delivering
    clock: Callable[[], datetime]
    device_serial_number: str
    asked: Mapping[str, frozenset[Form]] = field(default_factory=dict)  # forms of results, by destination or group
    reconsider: Reconsider = lambda _series, _version: 0  # asks the rules once more, with what a model found
    tracing: Tracing = OFF
    objection: Callable[[str, int], str] = lambda _series, _version: ""  # why they would hold it, with what it found

    @property
    def choice(self) -> Choice:
        return Choice(self.database, self.asked)

    def attempt(self, job: Job) -> str:
        """Do what is left of a job; the sentence that completes it.

        Raises a Retryable to wait, a Permanent to stop, JobGoneError when the job was taken away.
        """
        self.make(job)
        return self.deliver(job)

    def make(self, job: Job) -> None:
        """Make the results, unless an earlier attempt kept them. Raises as `attempt` does."""
        if not rows.results(self.database, job.id):
            self._make(job, Stopwatch(tracing=self.tracing))

    def deliver(self, job: Job) -> str:
        """Deliver what is not delivered yet; the sentence that completes the job. Raises as `attempt` does."""
        watch = Stopwatch(tracing=self.tracing)
        self._enter(job, Stage.DELIVER)
        try:
            with watch.measuring("deliver"):
                sentence = self.delivery.deliver(job)
        finally:
            rows.note_seconds(self.database, job.id, watch.seconds)
        if held_up := pauses.held_up(self.database, job.id):
            said = "; ".join(f"{one.name} is paused since {one.at:%Y-%m-%d %H:%M} UTC" for one in held_up)
            raise DestinationUnavailable(said)
        return sentence

    def _enter(self, job: Job, stage: Stage) -> None:
        if not rows.enter(self.database, job, stage):
            raise JobGoneError

    def _make(self, job: Job, watch: Stopwatch) -> None:
        with watch.measuring("infer"):
            self._enter(job, Stage.INFER)
            prepared = self._prepare(job)
            pixels = self.decoder.decode(prepared.volume, prepared.paths)
            inferred = Inferred.of(
                self.results, _folder(job), prepared.card, prepared.inputs_sha256, prepared.volume.key
            )
            answer = inferred.find()
            if answer is None:
                answer = self._infer(job, prepared, pixels)
                inferred.keep(answer)
            self._heed(job)
            said = self._concluding.conclude(job, prepared.card, prepared.volume, answer)
            if said is None:
                raise JobGoneError
        with watch.measuring("encode"):
            self._enter(job, Stage.ENCODE)
            oddity = conclusions.oddity_of(self.database, job.id)  # whichever of its attempts asked the model
            origin = self._origin(job, prepared, oddity)
            chosen = said.chosen(self.choice.of(job.destinations))
            made = encode(
                prepared.volume,
                prepared.sources,
                said.labels,
                pixels.values,
                origin,
                forms=frozenset({Form.PLANAR}) if said.in_words else to_make(chosen),
                evaluations=(*said.evaluations, *((likeness(oddity),) if oddity else ())),
                others=[part.sources for part in prepared.others.values()],
            )
            encoded = {str(form): to_bytes(ds) for form, ds in made.objects.items()}
        with watch.measuring("check"):
            self._enter(job, Stage.CHECK)
            for kind, content in encoded.items():
                differences = verify(content, prepared.all_sources, prepared.volume, said.labels, prepared.card)
                if differences:
                    raise ResultRejected(f"the {kind} is not what the model said: {differences[0]}")
        self._keep(job, made, encoded, chosen, prepared, watch)
        inferred.drop()

    @property
    def _concluding(self) -> Concluding:
        return Concluding(self.database, self.clock, self.reconsider)

    def _infer(self, job: Job, prepared: Prepared, pixels: Pixels) -> NDArray[Any]:
        """The model's answer, slice by slice, and a note of what it was shown."""
        card = prepared.card
        floats = self.models.takes_floats(card)
        slices = numbers(pixels, floats=floats)
        images = f"{prepared.inputs_sha256} {prepared.volume.key}"
        answer = self.models.infer(
            card,
            slices,
            f"job-{job.id}",
            lambda: self._still_mine(job),
            images,
            lambda oddity: self._judged(job, oddity),
            slices_for(prepared, self.decoder, floats=floats),
        )
        encoder = card.shared.encoder if card.shared else ""
        note_shown(self.database, job.id, Shown(len(slices), int(blank(slices).sum()), encoder))
        return answer

    def _judged(self, job: Job, oddity: Oddity) -> None:
        """How unlike the usual ones the series is stands where rules read it, and they are asked once more."""
        if not conclusions.keep_oddity(self.database, job, oddity, self.clock()):
            raise JobGoneError
        self.reconsider(job.series_instance_uid, job.version)

    def _still_mine(self, job: Job) -> None:
        """Raises JobGoneError when somebody canceled the job, or took it from this attempt.

        A database that does not answer says neither; what is written later counts only while the job is ours.
        """
        with suppress(StoreUnavailable):
            if not claims.still_claimed(self.database, job):
                raise JobGoneError

    def _prepare(self, job: Job) -> Prepared:
        return Preparing(self.database, self.files).prepare(job, self.models.card(job.model, job.model_version))

    def _heed(self, job: Job) -> None:
        """Raises OnHold when a rule keeps what is so unlike the usual series for a person, who was not asked yet.

        The labels are kept by then: whoever tries the job again lets it go, and the model is not asked anew.
        """
        if conclusions.oddity_of(self.database, job.id) is None or rows.was_held(self.database, job):
            return
        if why := self.objection(job.series_instance_uid, job.version):
            raise OnHold(why)

    def _origin(self, job: Job, prepared: Prepared, oddity: Oddity | None) -> Origin:
        return Origin(
            card=prepared.card,
            rule=job.rule,
            rule_set_version=job.rule_set_version,
            node_version=__version__,
            device_serial_number=self.device_serial_number,
            inputs_sha256=prepared.inputs_sha256,
            volume_key=prepared.volume.key,
            result_version=job.version,
            supersedes=self._predecessors(job),
            inputs=prepared.inputs,
            oddity=oddity,
        )

    def _predecessors(self, job: Job) -> tuple[Predecessor, ...]:
        if job.supersedes is None:
            return ()
        documents = [one for one in rows.results(self.database, job.supersedes) if one.kind in SR_FORMS]
        return tuple(Predecessor(one.series_instance_uid, one.sop_instance_uid, one.kind) for one in documents)

    def _keep(
        self,
        job: Job,
        made: Results,
        encoded: Mapping[str, bytes],
        chosen: Mapping[str, frozenset[Form]],
        prepared: Prepared,
        watch: Stopwatch,
    ) -> None:
        kept = []
        for (kind, content), ds in zip(encoded.items(), made.objects.values(), strict=True):
            # Named by the claim: an attempt that was given up, and writes late, writes beside what was kept.
            path = f"{_folder(job)}/{kind.lower()}-{job.claim}.dcm"
            digest = self.results.keep(path, content)
            kept.append(
                MadeResult(
                    kind=kind,
                    sop_class_uid=str(ds.SOPClassUID),
                    series_instance_uid=str(ds.SeriesInstanceUID),
                    sop_instance_uid=str(ds.SOPInstanceUID),
                    path=path,
                    sha256=digest,
                    size=len(content),
                )
            )
        findings = [_finding(one, prepared.volume) for one in made.measurements]
        sent = {one.kind: sent_to(one.kind, chosen, encoded) for one in kept}
        version = prepared.card.version
        if not rows.keep_results(self.database, job, kept, findings, watch.seconds, version, sent):
            raise JobGoneError


def _folder(job: Job) -> str:
    return f"job-{job.id:08d}"


def _finding(found: SegmentMeasurement, volume: Volume) -> Finding:
    shows = volume.slices[found.largest] if found.largest is not None else None
    return Finding(
        number=found.number,
        label=found.label,
        volume_ml=_rounded(found.volume_ml),
        mean=_rounded(found.mean),
        sd=_rounded(found.sd),
        diameter_mm=_rounded(found.diameter_mm),
        slice_uid=shows.sop_instance_uid if shows else "",
        slice_frame=shows.frame if shows else None,
    )


def _rounded(number: float | None) -> float | None:
    """As people read it: volumes to the microlitre."""
    return None if number is None else round(number, 3)
