"""Where bytes lie: folders, or a bucket."""

from __future__ import annotations

from node.adapters.files import Files
from node.adapters.objects import Bucket, BucketFiles, BucketResultFiles, Copies, ResultFiles
from node.config import Settings
from node.errors import StoreUnavailable

_FOR_RESULTS = 0.1  # of the room for local copies


def build_store(settings: Settings) -> tuple[Files, ResultFiles]:
    """Received instances and made results. Raises BadConfiguration; StoreUnavailable when a bucket does not answer."""
    storage = settings.storage
    if not settings.bucket:
        try:
            return Files(settings.instances, storage.low_watermark), ResultFiles(settings.results)
        except StoreUnavailable as fault:
            key = "storage.url" if storage.url else "node.data_dir"
            cure = "Name a folder that this node's user may write in"
            raise StoreUnavailable(f"{key}: {settings.instances}: {fault}. {cure}") from fault
    of_instances = Bucket(settings.bucket, storage.endpoint)
    of_results = Bucket(f"{settings.bucket}/results", storage.endpoint)
    of_instances.demand_there()
    room = int(storage.copies * (1 - _FOR_RESULTS))
    copies = Copies(settings.instances, of_instances, room)
    results = Copies(settings.results, of_results, storage.copies - room)
    return BucketFiles(of_instances, copies, storage.low_watermark), BucketResultFiles(of_results, results)
