"""Training of the demonstration model from a handful of public series: `python -m node.mricore.training`."""
