"""Turn a model's text into harmless HTML: Markdown and HTML stay text, code and mathematics are readable.

Everything is escaped. Text between backticks gets a code font, and text between TeX's marks becomes MathML. Each
paragraph runs in the direction of its own script.
"""

import html
import re
from xml.etree import ElementTree

from utils.dialogue import split_turns

CODE_OR_MATH = re.compile(
    r"```[ \t]*(?P<language>[\w+#.-]*)[ \t]*\n(?P<block>.*?)(?:\n[ \t]*```|\Z)"
    r"|`(?P<code>[^`\n]+)`"
    r"|\$\$(?P<display1>.+?)\$\$|\\\[(?P<display2>.+?)\\\]|\\\((?P<inline1>.+?)\\\)"
    # Pandoc's rule, so that $5 and $7 are amounts: no blank inside either dollar, no digit after the closing one.
    r"|(?<![\\$\w])\$(?=[^\s$])(?P<inline2>[^$\n]{0,300}?)(?<=[^\s$\\])\$(?![\d$])",
    re.DOTALL,
)
LONGEST_FORMULA = 1000  # characters
MATHML = {
    "math", "mi", "mn", "mo", "ms", "mspace", "mtext", "mfrac", "mroot", "msqrt", "mstyle", "mrow", "mover", "munder",
    "munderover", "msub", "msup", "msubsup", "mtable", "mtr", "mtd", "mpadded", "mphantom", "menclose", "mlabeledtr",
}  # fmt: skip
ATTRIBUTES = {"display", "stretchy", "fence", "form", "linethickness", "accent", "mathvariant", "width", "columnalign"}
NAMES = {"student": "Student", "teacher": "Teacher", None: "Text"}


def as_html(text: str) -> str:
    """Convert a text to one `div`; see the module's docstring."""
    parts, end = [], 0
    for mark in CODE_OR_MATH.finditer(text):
        parts += [escaped(text[end : mark.start()]), _special(mark)]
        end = mark.end()
    return f'<div class="text" dir="auto">{"".join(parts)}{escaped(text[end:])}</div>'


def dialogue_as_html(text: str) -> str:
    """Format a dialogue's turns, each under its speaker's name."""
    turns = [turn for turn in split_turns(text) if turn.content.strip("[]\"' ")]  # the original's lists open with "['"
    return "".join(turn_as_html(NAMES[turn.speaker], turn.content) for turn in turns)


def turn_as_html(speaker: str, text: str, below: str = "") -> str:
    """Format one turn; `below` is HTML to put under its text."""
    kind = "teacher" if speaker not in ("Student", "Text") else speaker.lower()
    return f'<section class="turn {kind}"><h2>{escaped(speaker)}</h2>{as_html(text)}{below}</section>'


def escaped(text: str) -> str:
    """Escape a text so that it stays text in HTML, in an attribute, and in a page's template."""
    plain = html.escape(text.encode(errors="replace").decode())
    return plain.replace("$", "&#36;").replace("{", "&#123;").replace("`", "&#96;")


def _special(mark: re.Match[str]) -> str:
    found = mark.groupdict()
    if found["block"] is not None:
        return f'<pre tabindex="0"><code dir="ltr">{escaped(found["block"])}</code></pre>'
    if found["code"] is not None:
        return f'<code dir="ltr">{escaped(found["code"])}</code>'
    display = found["display1"] or found["display2"]
    return _mathml(display or found["inline1"] or found["inline2"], "block" if display else "inline") or escaped(
        mark[0]
    )


def _mathml(tex: str, display: str) -> str | None:
    """Convert a formula to MathML; None if it cannot be parsed, or if the result has elements outside MATHML."""
    from latex2mathml.converter import convert_to_element

    if len(tex) > LONGEST_FORMULA:
        return None
    try:
        tree = convert_to_element(tex, display=display)
    except Exception:  # whatever the parser raises, the plain text can be shown
        return None
    for element in tree.iter():
        if element.tag not in MATHML:
            return None
        element.attrib = {name: value for name, value in element.attrib.items() if name in ATTRIBUTES}
        element.text = html.unescape(element.text) if element.text else None  # the library writes `&#x0003D;`
        element.tail = None
    formula = ElementTree.tostring(tree, encoding="unicode")
    return formula.replace("$", "&#36;").replace("{", "&#123;").replace("`", "&#96;")
