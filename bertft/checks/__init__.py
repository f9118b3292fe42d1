"""What can be amiss with data: splits of examples go in, Findings come out; nothing is changed.

finding.py     Finding, Place and Hits: the words that all checks speak; Split: what they look at
refused.py     rows that loaders refuse, grouped by what is wrong with them
texts.py       characters that are not what they seem: wrong encodings, invisible ones, markup
labels.py      balance, rare labels, labels that only one split has
duplicates.py  rows that stand twice, in a split or across splits, and rows that contradict
near.py        rows that are nearly the same (MinHash)
tokens.py      lengths in tokens against max_length, unknown tokens

What only one task can find stands beside the task (``Task.findings``).
"""
