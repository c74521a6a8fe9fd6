"""The pages that are measured, by name: an address, or what is sent to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from benchmarks.pages.filling import PER_STUDY


@dataclass(frozen=True)
class Asked:
    """A request. `{}` in the address or in the text is another number each time."""

    address: str
    text: str | None = None  # POSTed as {"text": …}


def pages(number: int) -> Mapping[str, Asked]:
    """What there is to ask of a node with so many series. Each page may take `CEILING_S` in 95 of 100 cases."""
    return {
        "trace": Asked("/admin/"),
        "trace, a common name": Asked("/admin/?q=yamada"),
        "trace, two words": Asked("/admin/?q=" + quote("müller anna")),
        "trace, a rare name": Asked("/admin/?q=" + quote("sato 13")),
        "trace, nobody's name": Asked("/admin/?q=nobody"),
        "trace, an accession number": Asked("/admin/?q=A{}"),
        "trace, a patient ID": Asked("/admin/?q=P7"),
        "trace, a page far down": Asked("/admin/?q=yamada&after=" + quote("20991231T000000.000000~1.2")),
        "study": Asked("/admin/studies?uid=1.2.3.9.{}"),
        "series": Asked("/admin/series?uid=1.2.3.4.{}"),
        "inbox": Asked("/admin/inbox"),
        "board": Asked("/admin/board"),
        "rules": Asked("/admin/rules"),
        "why, and why not": Asked("/admin/rules/-/why"),
        "destinations and sources": Asked("/admin/places"),
        "models": Asked("/admin/models"),
        "a model": Asked("/admin/models/mri_core_head"),
        "a job": Asked("/admin/jobs/{}"),
        "notices": Asked("/admin/notices"),
        "users": Asked("/admin/users"),
        "audit": Asked("/admin/audit"),
        "API: trace": Asked("/api/v1/trace", "suzuki"),
        "API: inbox": Asked("/api/v1/inbox"),
        "API: jobs of a name": Asked("/api/v1/jobs?text=sato"),
    }


CEILING_S = 0.2


def numbered(text: str, turn: int, number: int) -> str:
    """With a number that is some study's, series' and job's."""
    return text.replace("{}", str(turn * 7919 % max(1, number // PER_STUDY - 1) + 1))
