"""Clients of chat models behind a service; each call is paid for only once.

Start with chat.py (the interface), service.py (what both APIs share), openai_chat.py and ollama_chat.py (with
ollama_format.py). reply.py, body.py and thoughts.py parse responses, live.py streams them. refusals.py interprets
errors, and abilities.py remembers which parameters a service rejects. retry.py and loop.py handle servers that fail now
and then. ask_all.py sends many questions at once. keys.py reads and hides keys, prices.py computes costs.
"""
