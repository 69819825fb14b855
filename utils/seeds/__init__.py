"""Read and audit seed dialogues.

Read read.py, with files.py and csv_rows.py (file formats) and rows.py (row formats); then chosen.py (the files of a
run), audit.py (which finds leaks between splits, with overlaps.py and answers.py) and near_duplicates.py.
"""
