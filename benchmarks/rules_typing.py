"""What a rule matches while it is typed: python -m benchmarks.rules_typing [--series N] [--rules N]

So many series of the last seven days, half of them as rows that are in no chunk yet, as a node has them; a rule at the
end of a set of so many rules. The first question reads what is kept; later ones, with one letter more, find it there.
Also: the values that were seen of an attribute, and the counts of the list.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import insert

from benchmarks.rules_simulation import NOW, cells_of, rule_files, series
from node.adapters.database import Database, headers
from node.adapters.database.headers import Batch, Whose
from node.adapters.database.hits import hits, tally
from node.adapters.database.rule_tables import header
from node.core.kept.columns import columns_of, pack
from node.core.rules import parse_rule_set
from node.pipeline.rule_sets.lately import Lately

_PRIVATE = 80  # elements more, so that a row is as long as a real one


def fill(database: Database, number: int) -> None:
    """Half in chunks, half as rows."""
    chance = random.Random(7)  # the same series every time
    apart = timedelta(days=6) / number
    for begin in range(0, number // 2, headers.CHUNK):
        places = range(begin, min(begin + headers.CHUNK, number // 2))
        rows = [cells_of(series(chance, place)) for place in places]
        at = [(NOW - timedelta(days=6) + place * apart).timestamp() for place in places]
        uids = [f"1.2.{place}" for place in places]
        headers.write_chunk(database, Batch(Whose(uids, uids, [1] * len(uids), at, at), columns_of(rows)))
    rows, matched = [], []
    for place in range(number // 2, number):
        at_row = NOW - timedelta(days=6) + place * apart
        plain = cells_of(series(chance, place)) | {
            f"0019xx{extra:02X} SIEMENS MR HEADER": f'[0,["LO","{chance.randrange(9)}"]]' for extra in range(_PRIVATE)
        }
        uid = f"1.2.{place}"
        rows.append({"series_instance_uid": uid, "study_instance_uid": uid, "version": 1, "at": at_row,
                     "arrived_at": at_row, "content": pack(plain)})  # fmt: skip
        matched.append((f"rule-{place % 200}", at_row, 1))
    with database.transaction() as connection:
        connection.execute(insert(header), rows)
        tally(connection, matched)


def milliseconds(what: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        what()
        found.append(1000 * (time.perf_counter() - begin))
    return found


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--series", type=int, default=14_000)
    asked.add_argument("--rules", type=int, default=200)
    given = asked.parse_args()
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'node.db'}")
        database.migrate()
        fill(database, given.series)
        files = rule_files(given.rules - 1, random.Random(3), "brain")
        lately = Lately(database, lambda: NOW)
        letters = iter("abcdefghijklmnopqrstuvwxyz" * 10)

        def typed() -> None:
            when = f"when: {{Modality: MR, SeriesDescription: {{contains: t{next(letters)}}}}}"
            text = f"name: typed\n{when}\nthen: [hold]\n"
            lately.matching(parse_rule_set({**files, "999.yaml": text}), "typed")

        (first,) = milliseconds(typed, 1)
        later = milliseconds(typed, 20)
        print(f"{given.series} series, {given.rules} rules: first {first:.0f} ms, then "
              f"{statistics.median(later):.0f} ms (median), {max(later):.0f} ms (worst of 20)")  # fmt: skip
        seen = milliseconds(lambda: lately.values("SeriesDescription"), 5)
        print(f"values seen of SeriesDescription: {statistics.median(seen):.0f} ms")
        counts = milliseconds(lambda: hits(database, NOW), 5)
        print(f"hit counts of all rules: {statistics.median(counts):.1f} ms")
        database.close()


if __name__ == "__main__":
    main()
