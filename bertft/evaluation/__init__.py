"""Scores, their intervals, and paired tests between two runs.

metrics.py     counts per example, and every metric as a function of their sums (numpy only)
intervals.py   bootstrap intervals, paired bootstrap and McNemar's test over those counts
modules.py     the same metrics as ``evaluate.Metric`` classes
"""
