"""A chat model behind a service, each call paid once.

Read chat.py (what a chat is), service.py (what both APIs do alike), openai_chat.py and ollama_chat.py; reply.py,
stream.py and thoughts.py (reading what comes back); refusals.py (what an error means), abilities.py (what a service
cannot do); retry.py and loop.py (a server that fails now and then); ask_all.py (many questions at once); keys.py and
prices.py.
"""
