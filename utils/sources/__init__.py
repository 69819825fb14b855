"""The public datasets: downloaded, converted, split by problem. Only fetch_datasets.py needs this room.

Read download.py, raw_dialogue.py (what all three have in common), mathdial.py, tutorchat.py, debugging.py, splits.py,
convert.py, licenses.py.
"""
