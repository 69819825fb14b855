"""Seed dialogues: read, examined.

Read read.py, with files.py and csv_rows.py (formats of files) and rows.py (shapes of rows); then audit.py, which finds
what leaks between splits, and near_duplicates.py.
"""
