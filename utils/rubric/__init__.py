"""The offline judge: features, fitted weights and guards; no key, no server, no model.

Read rubric.py, then features.py, guards.py and tells.py (what it gives away), reading.py, quantities.py, words.py and
word_order.py (how a text is read). fitting.py fits the weights, any_language.py
holds what bars an answer whoever judges it. docs/judges.md says what the judge reaches.
"""
