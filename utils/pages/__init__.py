"""Two pages in a browser: `rate.py`, where people rate answers, and `chat.py`, where one talks to a tutor.

Rating: to_rate.py (what is shown, in which order), ratings.py (what is kept), outcome.py (what it comes to),
rate_page.py, outcome_html.py, rate.js (keys).
Talking: conversation.py (the text that the tutor is sent), session.py (where a person stands), picks.py (which of two
answers was better), chat_page.py, talk_html.py, terminal.py.
Both: text.py (a model's text as HTML that can do nothing), serve.py and page.css (a page opened to a browser).
Only rate_page.py, chat_page.py and serve.py know Gradio.
"""
