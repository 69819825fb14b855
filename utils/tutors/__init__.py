"""A model answers seed dialogues.

Read local.py (a model loaded here), generation.py and step_attention.py (how that is fast), served.py (a model behind a
server), chat_tutor.py (a chat service), stream.py (one answer, word by word).
"""
