"""The demonstration's outcome for people and as the JSON of the public interface."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console
from rich.table import Table

from node.adapters.database.trace import JobLine, SeriesLine
from node.cli.demo.run import Outcome
from node.core.states import SeriesState

_STAGES = ("receive", "complete", "infer", "encode", "deliver")


def as_json(outcome: Outcome) -> dict[str, Any]:
    """One entry for each series and model."""
    entries = [_entry(outcome, line, job) for line in outcome.series for job in (line.jobs or (None,))]
    node = {"dicom_port": outcome.dicom_port, "http_port": outcome.http_port, "data_dir": str(outcome.data_dir)}
    return {"series": entries, "node": node}


_OF_SEGMENTS = ("number", "label", "volume_ml")


def _entry(outcome: Outcome, line: SeriesLine, job: JobLine | None) -> dict[str, Any]:
    received = outcome.received.get(job.id, {}) if job else {}
    state = _state(line, job)
    return {
        "series_instance_uid": line.series_instance_uid,
        "series_description": line.series_description,
        "source_instances": outcome.instances.get(line.series_instance_uid, 0),
        "rule": job.rule if job else line.rule,
        "model": job.model if job else "",
        "state": state,
        "seg": [received["SEG"]] if "SEG" in received else [],
        "sr": [received["SR"]] if "SR" in received else [],
        "segments": [{name: one[name] for name in _OF_SEGMENTS} for one in job.segments] if job else [],
        "seconds": _seconds(line, job),
        "reason": "" if state == "delivered" else (job.reason if job else line.reason),
    }


def _state(line: SeriesLine, job: JobLine | None) -> str:
    if job:
        return "delivered" if job.state == "completed" else job.state
    return "held" if line.state == SeriesState.HELD and line.rule else "not_matched"


def _seconds(line: SeriesLine, job: JobLine | None) -> dict[str, float]:
    seconds = {"receive": (line.last_at - line.first_at).total_seconds()}
    if line.completed_at:
        seconds["complete"] = (line.completed_at - line.last_at).total_seconds()
    if job:
        seconds |= {stage: job.seconds[stage] for stage in _STAGES if stage in job.seconds}
    return {stage: round(seconds.get(stage, 0.0), 3) for stage in _STAGES} | {"total": round(sum(seconds.values()), 3)}


def table(outcome: Outcome) -> str:
    """What was found, how long it took and where the files are."""
    shown = Table(title="Results", title_justify="left", show_lines=True)
    for heading in ("series", "images", "state", "found", "seconds"):
        shown.add_column(heading, overflow="fold")
    places: list[str] = []
    for entry in as_json(outcome)["series"]:
        name = entry["series_description"] or entry["series_instance_uid"]
        state = entry["state"] + (f"\n{entry['reason']}" if entry["reason"] else "")
        found = "\n".join(_segment(segment) for segment in entry["segments"]) or "–"
        shown.add_row(name, str(entry["source_instances"]), state, found, _times(entry["seconds"]))
        places += [f"  {path}" for path in (*entry["seg"], *entry["sr"])]
    text = StringIO()
    Console(file=text, width=110, highlight=False, markup=False).print(shown)
    files = "\n".join(["Files that came back to the PACS:", *places]) if places else "No result came back to the PACS."
    return f"{text.getvalue()}\n{files}\nNode's data: {outcome.data_dir}"


def _segment(segment: dict[str, Any]) -> str:
    volume = segment["volume_ml"]
    return f"{segment['label']}: {volume:.1f} ml" if volume is not None else f"{segment['label']}: volume unknown"


def _times(seconds: dict[str, float]) -> str:
    return "\n".join(f"{stage} {value:.2f}" for stage, value in seconds.items())
