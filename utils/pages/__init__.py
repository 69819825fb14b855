"""Show two pages in a browser: people rate answers on that of `rate.py`, and talk to a tutor on that of `chat.py`.

Rating: to_rate.py selects and orders the answers, ratings.py stores the ratings, outcome.py compares raters and judge.
rate_page.py, outcome_html.py and rate.js (keys) are the page.
Talking: conversation.py makes the text that the tutor is sent, session.py keeps a person's state, and picks.py stores
which of two answers was better. chat_page.py and talk_html.py are the page, terminal.py does without one.
Both: text.py turns a model's text into harmless HTML, serve.py and page.css serve a page to a browser.
Only rate_page.py, chat_page.py and serve.py use Gradio.
"""
