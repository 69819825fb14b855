"""A model answers seed dialogues.

Read tutor.py (what a tutor is), local.py (a model loaded here), generation.py and step_attention.py (how that is
fast), served.py (a model behind a server), chat_tutor.py (a chat service), variants.py (the same tutor otherwise),
baselines.py (tutors that need no model), stream.py (one answer, word by word), flags.py.
"""
