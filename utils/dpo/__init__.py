"""Preference pairs, and DPO on them.

Read pairs.py (which candidates pair up), preferences.py (which pairs are trained on), trl_rows.py (pairs in trl's own
form, given out and taken in), training.py (one training), trainer.py and shared_prompts.py (a pair's prompt forwarded
once), checkpoints.py.
"""
