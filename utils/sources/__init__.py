"""The public datasets: downloaded, converted, split by problem. fetch_datasets.py needs this room.

Read download.py, raw_dialogue.py (what all three have in common), mathdial.py, tutorchat.py, debugging.py, convert.py,
splits.py, make_seeds.py (from raw files to seed files), folder.py (where they are put), licenses.py. mrbench.py is no
seeds: answers with human labels, which mrbench.py at the top level reads.
"""
