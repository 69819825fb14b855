"""Two pages in a browser: `rate.py`, on which people rate answers, and `chat.py`, on which they talk to a tutor.

Rating: to_rate.py (what is shown, in which order), ratings.py (what is stored), outcome.py (what the ratings show),
rate_page.py, outcome_html.py, rate.js (keys).
Talking: conversation.py (the text that the tutor is sent), session.py (where a person stands), picks.py (which of two
answers was better), chat_page.py, talk_html.py, terminal.py.
Both: text.py (a model's text as harmless HTML), serve.py and page.css (serving a page to a browser).
Only rate_page.py, chat_page.py and serve.py know Gradio.
"""
