"""The judges, which grade answers.

Read judge.py (the interface, and the offline judge), chat_judge.py (an LLM), expected.py (expected scores), panel.py,
grading.py (many answers at once), batch.py, flags.py and second.py (the command line).
"""
