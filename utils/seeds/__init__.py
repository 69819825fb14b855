"""Seed dialogues: read, examined.

Read read.py, then audit.py, which finds what leaks between splits, and near_duplicates.py.
"""
