"""Where bytes lie that processes share: a folder, or a bucket of S3 with a folder of local copies before it.

Both know the names that the rows have: YYYYMMDD/HH/<sha256>.<random>.dcm for instances, results/job-…/… for results.
"""

from node.adapters.objects.bucket import Bucket
from node.adapters.objects.copies import Copies
from node.adapters.objects.instances import BucketFiles, kept_size
from node.adapters.objects.results import BucketResultFiles, ResultFiles

__all__ = ["Bucket", "BucketFiles", "BucketResultFiles", "Copies", "ResultFiles", "kept_size"]
