"""Expected scores: the probability-weighted value of each criterion, from the log-probabilities of a judge's labels.

As in G-Eval (Liu et al., 2023, section 3), score = sum over labels of p(label) * label; here p is normalised over the
labels that the rubric allows.
"""

import math
import re

from utils.clients.chat import Reply
from utils.records import CRITERIA

LABELS = {
    "questions": {"yes": 1.0, "no": 0.0},
    "on_topic": {"1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0, "5": 5.0},
    "helpful": {"1": 1.0, "2": 2.0, "3": 3.0, "4": 4.0, "5": 5.0},
    "reveal_answer": {"yes": 1.0, "no": 0.0},
}


def expected_values(reply: Reply) -> dict[str, float]:
    """Return P(yes) or the expected points of each criterion. Raises ValueError if a label's tokens are not found."""
    text = "".join(token for token, _ in reply.logprobs)
    return {criterion: _expected(criterion, text, reply) for criterion in CRITERIA}


def _expected(criterion: str, text: str, reply: Reply) -> float:
    found = list(re.finditer(rf'"{criterion}"\s*:\s*"?', text))
    start = 0
    for token, alternatives in reply.logprobs:
        if found and start + len(token) > found[-1].end():
            prefix = token[: max(0, found[-1].end() - start)].strip()  # of a token like `:"yes`
            weights = dict.fromkeys(LABELS[criterion], 0.0)
            for other, logprob in alternatives.items():
                label = _label(other.strip(), prefix, criterion)
                if label:
                    weights[label] += math.exp(logprob)
            if not (total := sum(weights.values())):
                break
            return sum(LABELS[criterion][label] * weight for label, weight in weights.items()) / total
        start += len(token)
    raise ValueError(f"no log-probabilities for the label of {criterion}")


def _label(token: str, prefix: str, criterion: str) -> str | None:
    """Return the one label that the token is or begins (`"no"`, `n`, `:5,`), if any."""
    if not token.startswith(prefix):
        return None
    word = token.removeprefix(prefix).strip(' ":,}\n')
    fitting = [label for label in LABELS[criterion] if word and label.startswith(word)]
    return fitting[0] if len(fitting) == 1 else None
