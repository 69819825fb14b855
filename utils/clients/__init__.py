"""A chat model behind a service, each call paid once.

Read chat.py (what a chat is), retry.py (a server that fails now and then), openai_chat.py and ollama_chat.py (the two
APIs), openai_stream.py (a reply word by word), ask_all.py (many questions at once), then keys.py and prices.py.
"""
