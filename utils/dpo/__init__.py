"""Preference pairs and DPO training on them, optionally after supervised fine-tuning on reference turns.

Read pairs.py (which candidates become a pair), preferences.py (which pairs are trained on), trl_rows.py (pairs in
trl's own format, written and read), recipe.py (the settings of a training), config.py (the same as trl's
configuration), training.py (one training run), trainer.py and shared_prompts.py (each pair's prompt is forwarded
once), rehearsal.py (what a training would refuse), references.py and sft.py (the warm start), checkpoints.py.
"""
