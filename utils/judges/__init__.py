"""Who grades answers.

Read judge.py (what a judge is), chat_judge.py (an LLM), expected.py (scores by probabilities), panel.py, grading.py
(many answers at once), batch.py, flags.py and second.py (the command line).
"""
