"""One series against 200 rules, beside Python expressions on the tags of its files: `python -m benchmarks.rules`.

The same rules in two languages. Ours see all headers of a series, as they were read from its files, and three-valued
logic; the reason of every rule is worked out when it is read, and timed apart. The expressions see the tags of one file
as text and are evaluated for the first file, and for every file. Rounds of both alternate; medians are told.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from time import perf_counter

from pydicom import dcmread
from pydicom.dataset import Dataset

from node.core.rules import RuleSet, Subject, decide, parse_rule_set
from tests.synthetic import Grid, mr_series, to_bytes

_WORDS = (
    "t1",
    "t2",
    "flair",
    "mprage",
    "dwi",
    "adc",
    "swi",
    "tof",
    "pd",
    "stir",
    "vibe",
    "haste",
    "epi",
    "perf",
    "loc",
)
_PARTS = ("HEAD", "BRAIN", "KNEE", "SPINE", "HIP", "LIVER", "PROSTATE", "BREAST")


def both_ways(number: int, chance: random.Random) -> tuple[str, str]:
    """One rule as YAML and as a Python expression."""
    word, other = chance.sample(_WORDS, 2)
    parts, slices = chance.sample(_PARTS, 3), chance.randrange(30, 300)
    thick, echo = chance.randrange(1, 9), chance.randrange(50, 300)
    rule = f"""name: rule-{number}
when:
  Modality: MR
  BodyPartExamined: {{in: [{", ".join(parts)}]}}
  any:
    - SeriesDescription: {{contains: {word}_{number}}}
    - ProtocolName: {{contains: {other}_{number}}}
    - EchoTime: {{above: {echo} ms}}
  series.instances: {{at_least: {slices}}}
  SliceThickness: {{at_most: {thick}}}
  not: {{ImageType: {{contains: DERIVED}}}}
then: [{{infer: model_{number % 7}}}]
"""
    expression = (
        f"tags.get('Modality') == 'MR' and tags.get('BodyPartExamined') in {parts!r} and ("
        f"'{word}_{number}' in tags.get('SeriesDescription', '').lower() or "
        f"'{other}_{number}' in tags.get('ProtocolName', '').lower() or float(tags.get('EchoTime', 0)) > {echo}) and "
        f"instances >= {slices} and float(tags.get('SliceThickness', 0)) <= {thick} and "
        "'DERIVED' not in tags.get('ImageType', '')"
    )
    return rule, expression


def tags_of(ds: Dataset) -> dict[str, str]:
    """The tags of a file as a router keeps them: keyword to text."""
    return {element.keyword: str(element.value) for element in ds if element.keyword and element.VR != "SQ"}


def matching(expressions: Sequence[str], tags: Mapping[str, str], instances: int) -> list[int]:
    """The rules that trigger; an expression that fails does not, as in routers of this kind."""
    found = []
    for number, expression in enumerate(expressions):
        try:
            if eval(expression, {"__builtins__": {"float": float}}, {"tags": tags, "instances": instances}):  # noqa: S307 # what is compared
                found.append(number)
        except Exception:  # noqa: BLE001, S112 # what is compared
            continue
    return found


def as_read(datasets: Sequence[Dataset]) -> list[Dataset]:
    return [dcmread(BytesIO(to_bytes(ds)), stop_before_pixels=True) for ds in datasets]


def milliseconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return 1000 * (perf_counter() - begin)


def measure(rule_set: RuleSet, expressions: Sequence[str], slices: int, rounds: int) -> None:
    made = mr_series(Grid(slices=slices), change={"SeriesDescription": "t1_mprage_sag", "ProtocolName": "head"})
    headers, facts = as_read(made), {"series.instances": slices}
    tags = [tags_of(ds) for ds in as_read(made)]
    took: dict[str, list[float]] = {}
    decide(rule_set, Subject(headers, facts))  # compiles
    for _ in range(rounds):
        for name, work in (
            ("rules, all headers", lambda: decide(rule_set, Subject(headers, facts))),
            (
                "rules and every reason",
                lambda: [one.sentence for one in decide(rule_set, Subject(headers, facts)).outcomes],
            ),
            ("expressions, first file", lambda: matching(expressions, tags[0], slices)),
            ("expressions, every file", lambda: [matching(expressions, one, slices) for one in tags]),
        ):
            took.setdefault(name, []).append(milliseconds(work))
    told = "; ".join(f"{name} {statistics.median(times):.2f} ms" for name, times in took.items())
    print(f"{slices} instances, {len(expressions)} rules: {told}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rules", type=int, default=200)
    asked.add_argument("--rounds", type=int, default=7)
    chosen = asked.parse_args()
    chance = random.Random(7)
    pairs = [both_ways(number, chance) for number in range(chosen.rules)]
    begin = perf_counter()
    rule_set = parse_rule_set({f"{number:03}.yaml": rule for number, (rule, _) in enumerate(pairs)})
    read = perf_counter() - begin
    begin = perf_counter()
    assert rule_set.program.looks
    print(f"{chosen.rules} rules: read in {read:.2f} s, compiled in {1000 * (perf_counter() - begin):.0f} ms")
    for slices in (24, 96):
        measure(rule_set, [expression for _, expression in pairs], slices, chosen.rounds)


if __name__ == "__main__":
    main()
