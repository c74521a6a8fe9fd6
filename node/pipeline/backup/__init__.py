"""Backup and restore: a folder that holds any number of backups, and each stored file once.

    FOLDER/backups/20260105T093000Z/   manifest.json, the database of that moment, files.tsv, settings.json, rules/
    FOLDER/instances/…                 received instances, under the names that the store gives them
    FOLDER/results/<sha256>            made results; FOLDER/models/<sha256>: cards, configurations, weights

First the database is taken, then the files that it names: whatever had been acknowledged by then is in both. Files are
never changed once they are named, so a backup that follows copies what is new only.
"""

from node.pipeline.backup.make import Made, Origin, make, prune
from node.pipeline.backup.manifest import Manifest, backups, read_manifest
from node.pipeline.backup.restore import Restored, Target, restore

__all__ = ["Made", "Manifest", "Origin", "Restored", "Target", "backups", "make", "prune", "read_manifest", "restore"]
