"""A draft of 200 rules over the kept headers of 100 000 series, beside per-file evaluation of Python expressions.

    python -m benchmarks.rules_simulation [--series 100000] [--rules 200]

The time is that of `Trials.run`: reading the database, both rule sets, the list of what changes. The other figure is
what routers do that evaluate an expression for each file: 200 expressions on the tags of one file of each series, on a
sample, times the number of series (a series has some hundred files; only one is counted).
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from node.adapters.database import Database, headers
from node.adapters.database.headers import Batch, Whose
from node.core.kept import Cell, Raw
from node.core.kept.columns import columns_of
from node.pipeline.rule_sets.trials import Trials

NOW = datetime(2026, 1, 31, tzinfo=UTC)
_SAMPLE = 200  # series of the other way

_WORDS = ["t1", "t2", "flair", "mprage", "dwi", "adc", "swi", "tof", "perf", "scout", "cor", "sag", "tra", "fs", "km"]
_VRS = {"00080060": "CS", "00180015": "CS", "00080008": "CS", "00101010": "AS", "00080020": "DA"}
_PARTS = ["HEAD", "BRAIN", "KNEE", "SPINE", "ABDOMEN", "SHOULDER", ""]


def series(chance: random.Random, number: int) -> dict[str, str]:
    """What a scanner says of one series, as plain text."""
    words = chance.sample(_WORDS, 3)
    return {
        "0008103E": "_".join(words) + f"_{chance.randrange(40)}",
        "00181030": " ".join(words),
        "00081030": f"MR {chance.choice(_PARTS) or 'study'} {chance.randrange(30)}",
        "00080060": chance.choice(["MR", "MR", "MR", "MR", "SR", "CT"]),
        "00180015": chance.choice(_PARTS),
        "00180081": f"{chance.randrange(2, 240) / 2}",
        "00180080": f"{chance.randrange(300, 9000, 7)}",
        "00180050": chance.choice(["1", "1.2", "3", "4", "5"]),
        "00180087": chance.choice(["1.5", "3"]),
        "00101010": f"{chance.randrange(1, 95):03}Y",
        "00080020": f"202601{chance.randrange(1, 31):02}",
        "00080008": chance.choice(["ORIGINAL\\PRIMARY\\M", "DERIVED\\PRIMARY", "ORIGINAL\\PRIMARY\\M\\ND"]),
        "00080070": chance.choice(["SIEMENS", "GE MEDICAL SYSTEMS", "Philips"]),
        "00081010": f"MR{chance.randrange(12)}",
        "00100020": f"P{number % 30000}",
        "00100010": f"Doe^Jane{number % 30000}",
        "0020000E": f"1.2.3.{number}",
        "series.instances": str(chance.randrange(1, 300)),
        "series.volumes": "1",
        "series.orientation": chance.choice(["axial", "sagittal", "coronal"]),
    }


def rule_files(number: int, chance: random.Random, model: str) -> dict[str, str]:
    """Rules as a large hospital has them: a protocol name, a body part, some numbers."""
    files = {"_set.yaml": "otherwise: hold\n"}
    for place in range(number):
        one, other = chance.sample(_WORDS, 2)
        files[f"{place:03}.yaml"] = f"""name: rule-{place}
when:
  Modality: MR
  SeriesDescription: {{contains: "{one}_{other}"}}
  StudyDescription: {{contains: "{chance.randrange(30)}"}}
  any:
    - BodyPartExamined: {{in: [HEAD, BRAIN]}}
    - ProtocolName: {{matches: "{one}|{other}"}}
  EchoTime: {{between: [{chance.randrange(40)}, {chance.randrange(50, 120)}]}}
  series.instances: {{at_least: {chance.randrange(2, 40)}}}
  PatientAge: {{at_least: {chance.choice([0, 16, 18])}Y}}
  not: {{ImageType: {{contains: DERIVED}}}}
then: [{{infer: {model if place % 10 else "other"}}}, {{deliver: [pacs]}}]
"""
    return files


def cells_of(plain: dict[str, str]) -> dict[str, str]:
    """The same as cells: key → text."""
    return {key: _fact(value) if key[0] == "s" else _cell(key, value) for key, value in plain.items()}


def _fact(value: str) -> str:
    return value if value.isdecimal() else f'"{value}"'


def _cell(key: str, value: str) -> str:
    vr = _VRS.get(key, "DS" if key.startswith("00180") else "LO")
    return Cell((Raw(vr, value.encode()),)).to_text()


def fill(database: Database, number: int) -> list[dict[str, str]]:
    """Chunks as the node writes them; a sample of the series."""
    chance = random.Random(7)  # the same series every time
    sample: list[dict[str, str]] = []
    for start in range(0, number, headers.CHUNK):
        plain = [series(chance, start + place) for place in range(min(headers.CHUNK, number - start))]
        sample += plain[: max(0, _SAMPLE - len(sample))]
        rows = [cells_of(one) for one in plain]
        uids = [one["0020000E"] for one in plain]
        at = [(NOW - timedelta(days=30)).timestamp() + (start + place) * 25.0 for place in range(len(plain))]
        headers.write_chunk(database, Batch(Whose(uids, uids, [1] * len(uids), at, at), columns_of(rows)))
    return sample


def per_file(sample: list[dict[str, str]], rules: int) -> float:
    """Seconds a series for as many Python expressions on the tags of one file."""
    expression = (
        "tags['00080060'] == 'MR' and '{a}' in tags['0008103E'] and '{b}' in tags['00081030'] "
        "and float(tags['00180081']) > {c} and tags['00180015'] in ('HEAD', 'BRAIN')"
    )
    chance = random.Random(7)
    texts = [
        expression.format(a=chance.choice(_WORDS), b=chance.randrange(30), c=chance.randrange(40)) for _ in range(rules)
    ]
    begin = time.perf_counter()
    for tags in sample:
        for text in texts:
            eval(text, {"__builtins__": {"float": float}}, {"tags": tags})  # noqa: S307 # what is compared with
    return (time.perf_counter() - begin) / len(sample)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--series", type=int, default=100_000)
    asked.add_argument("--rules", type=int, default=200)
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'node.db'}")
        database.migrate()
        begin = time.perf_counter()
        sample = fill(database, given.series)
        took, size = time.perf_counter() - begin, sum(one.stat().st_size for one in Path(folder).glob("node.db*"))
        print(f"{given.series} series written in {took:.1f} s, {size / given.series:.0f} bytes each")
        in_use = rule_files(given.rules, random.Random(1), "brain")
        draft = {**in_use, **dict(list(rule_files(given.rules, random.Random(2), "brain").items())[:20])}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        trials = Trials(database, lambda: NOW)
        begin, used = time.perf_counter(), time.process_time()
        found = trials.run(draft, in_use)
        took, used = time.perf_counter() - begin, time.process_time() - used
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(f"two sets of {given.rules} rules over {found.series} series: {took:.2f} s ({used:.2f} s of one core), "
              f"{more:.0f} MiB more memory at most")  # fmt: skip
        print(found.sentence)
        other = per_file(sample, given.rules)
        print(f"{given.rules} Python expressions on one file of each series: {other * given.series:.0f} s "
              f"({other * 1e3:.2f} ms a series, {len(sample)} measured), one rule set")  # fmt: skip
        database.close()


if __name__ == "__main__":
    main()
