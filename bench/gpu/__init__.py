"""The report of a GPU: `python -m bench.gpu_report`."""
