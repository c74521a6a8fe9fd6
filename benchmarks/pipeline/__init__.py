"""What the pipeline costs beside the model: `python -m benchmarks.pipeline noop|latency|many`.

noop     jobs of no work a second, on SQLite and PostgreSQL, by 1, 2 and 4 workers
latency  from the last slice's answer to the results at the PACS, without the model's time, stage by stage
many     10 000 small series through one node: series a second and memory must stay the same to the end
"""
