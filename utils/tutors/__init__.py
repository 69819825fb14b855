"""Tutors: who answers seed dialogues.

Read tutor.py (the interface), local.py (a model loaded in this process), generation.py and step_attention.py (how it
samples fast), served.py (a model behind a server), chat_tutor.py (a chat service), variants.py (a tutor with other
sampling or weights), baselines.py (tutors without an own model), stream.py (one answer, word by word), flags.py.
"""
