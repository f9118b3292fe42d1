"""Scores, their intervals, and paired tests between two runs.

inference.py   forward passes: Encoded to logits, the same for training, eval and predict
scores.py      gold and answers of each kind of task to Scores
answers.py     EM and F1 of questions, null threshold, confidence; entities.py those of entities
metrics.py     counts per example, and every metric as a function of their sums (numpy only)
intervals.py   bootstrap intervals, paired bootstrap and McNemar's test over those counts
slices.py      where a score is lower: slices beside the rest; facets.py finds what to slice by
outcomes.py    what one prediction is worth; mistakes.py its kind, confusions.py those of labels
probabilities.py  softmax and sigmoid of logits
modules.py     the same metrics as ``evaluate.Metric`` classes
"""
