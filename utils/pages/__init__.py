"""Two pages in a browser: `rate.py`, where people rate answers, and `chat.py`, where one talks to a tutor.

Read to_rate.py (what is shown, in which order), ratings.py (what is kept), outcome.py (what it comes to), then
rate_page.py; text.py turns a model's text into HTML that can do nothing; serve.py opens a page to a browser.
Only rate_page.py, chat_page.py and serve.py know Gradio.
"""
