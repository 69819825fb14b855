"""The offline judge: features, fitted weights and guards; no key, no server, no model.

Read rubric.py, then features.py and guards.py, reading.py and words.py (how a text is read). any_language.py holds what
bars an answer whoever judges it.
"""
