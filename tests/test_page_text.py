"""A model's text on a page is data: nothing in it runs, nothing of it is lost, formulas and code can be read."""

from html.parser import HTMLParser
from importlib.util import find_spec

import pytest

from utils.pages import text


class Tags(HTMLParser):
    def __init__(self, source):
        super().__init__()
        self.found, self.attributes, self.words = set(), set(), ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.words += data


needs_mathml = pytest.mark.skipif(find_spec("latex2mathml") is None, reason="latex2mathml is not installed")
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</div></section><style>*{display:none}</style>",
    "**bold** [a](javascript:alert(1))",
    "${alert(1)} {{x}}",
    "`<b onclick=x>`",
    "```html\n<script>alert(1)</script>\n```",
    r"$\text{<img src=x onerror=alert(1)>}$",
    r"$\href{javascript:alert(1)}{x}$",
    r"$\style{color:red}{x}$",
    "\ud800 \0 \u202e",
    "$" * 99,
    r"\(" + "{" * 900 + r"\)",
    "\\[\\frac{\\]",
]


@needs_mathml
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_model_s_text_is_text(hostile):
    """Guards: an answer that runs a script, loads a picture, hides the page or breaks out of its box."""
    tags = Tags(text.as_html(hostile))
    assert tags.found <= {"div", "code", "pre", *text.MATHML}
    assert tags.attributes <= {"class", "dir", "tabindex", *text.ATTRIBUTES}
    assert not {"$", "`"} & set(text.as_html(hostile)) and "{{" not in text.as_html(hostile)
    if "$" not in hostile and "\\" not in hostile and "`" not in hostile and hostile.isascii() and "\0" not in hostile:
        assert tags.words == hostile  # and nothing of it is lost


@needs_mathml
def test_mathematics_and_code_are_readable_and_money_is_money():
    assert "<mfrac>" in text.as_html(r"so \(\frac{1}{2}\)") and "<msup>" in text.as_html("take $x^2$ now")
    assert "<math" not in text.as_html("A pen costs $5 and a book $7, so $12 ($5+$7).")
    assert "<pre" in text.as_html("```python\nx = 1\n    y\n```") and "    y" in text.as_html(
        "```python\nx = 1\n    y\n```"
    )


def test_the_turns_of_a_dialogue_stand_under_their_speakers():
    found = text.dialogue_as_html("A lesson.\n\nStudent: hello\nTeacher: And?\nStudent: شكرا")
    assert Tags(found).words == "TextA lesson.StudenthelloTeacherAnd?Studentشكرا"
