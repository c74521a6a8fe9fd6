"""mricore-node: edges receive, the pipeline orders, adapters act, the core knows DICOM."""

__version__ = "0.1.0"
