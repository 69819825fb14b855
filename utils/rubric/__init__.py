"""The offline judge: features, fitted weights and guards; no key, no server, no model.

Start with rubric.py. features.py computes the features and fitting.py fits their weights. guards.py and tells.py find
what bars an answer: junk and flaws, and what it gives away. reading.py, text.py, quantities.py, words.py and
word_order.py parse the texts. any_language.py holds the guards that apply to every judge; language.py rejects dialogues
that are not English. docs/judges.md reports how well the judge agrees with people.
"""
