"""The board: how everything stands, each thing in one sentence with what helps.

figures ─▶ judge.py ─▶ verdicts, ok | attention | act now
samples of the disk ─▶ trend.py ─▶ days left
"""

from node.core.board.trend import SAMPLES_AT_LEAST, SPAN_AT_LEAST, Sample, Trend, trend
from node.core.board.verdict import Standing, Verdict, worst

__all__ = ["SAMPLES_AT_LEAST", "SPAN_AT_LEAST", "Sample", "Standing", "Trend", "Verdict", "trend", "worst"]
