"""Preference pairs, and DPO on them; before it, where it is wanted, supervised fine-tuning on reference turns.

Read pairs.py (which candidates pair up), preferences.py (which pairs are trained on), trl_rows.py (pairs in trl's own
form, given out and taken in), recipe.py (what decides a training), config.py (the same in trl's words), training.py
(one training), trainer.py and shared_prompts.py (a pair's prompt forwarded once), references.py and sft.py (a warm
start), checkpoints.py.
"""
