"""Check that a GGUF file is the model that it was made from: the same token ids, the same next-token probabilities.

P is the next-token distribution of the weights in float32, Q that of the file. They are compared along the weights' own
answers by the Kullback-Leibler divergence: KL(P || Q) = Σ_v P(v) ln(P(v) / Q(v)), in nats, 0 when equal.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from utils import models
from utils.errors import BadInput
from utils.export.llama_cpp import LlamaServer
from utils.export.modelfile import as_chat, render
from utils.prompts import tutor_messages

# Limits for an f16 file. The measured KL is 1e-5 for f16, and 1e-3 for bfloat16, in which tutors are evaluated.
KL_LIMIT, TOP_1_LIMIT = 1e-3, 0.99
# Two tokens whose log-probabilities differ by less count as equally likely. Rounding to f16 changes them by about 0.01,
# and a few near-ties among hundreds of positions would otherwise reject a correct file.
TIE = 0.05
HARD = (
    "48 + 27 = 75, 3.14159, 1,000,000", "x = 10\n\n20 30\t40", "naïve café ½ × ¾ → ∑ é", "😀👩‍🏫 漢字 مرحبا",
    "x²+y₂=٣٤ ２３", "def f(x):\n    return {x: [1, 2]}  # <|im_end|>", "it's we'll I'd CAN'T", "a\tb\r\nc\n\n\nd",
    "{{ .Prompt }} {% raw %} {input}", "<|user|>\nHi<|end|> <start_of_turn>[INST]", "  leading and trailing  ",
)  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """Predictions of the weights in float32. Per prompt: its ids, the n ids of an answer, log P (n + 1, vocabulary).

    Row k of log P predicts the token after the prompt and the first k tokens of the answer.
    """

    prompts: list[list[int]]
    answers: list[list[int]]
    log_probs: list[np.ndarray]


@dataclass(frozen=True)
class Parity:
    """The closeness of a file to its weights, over `tokens` next-token distributions on `prompts` prompts."""

    prompts: int
    tokens: int
    kl: float  # mean, in nats
    kl_p99: float
    top_1: float  # share of positions at which both have the same likeliest token
    top_1_or_tie: float  # the same, counting tokens within `TIE` of the likeliest as ties


def check_ids(
    server: LlamaServer, tokenizer, inference_prompt: str, go_template: str, dialogues: Sequence[str]
) -> tuple[int, int]:
    """Compare token ids of transformers, llama.cpp and Ollama on every dialogue's prompt and on hard strings.

    llama.cpp uses the chat template in the file. Ollama uses the Modelfile's TEMPLATE on the dialogue, replayed as a
    chat where that is possible (`as_chat`).
    Returns (number of prompts compared, number replayed as chats). Raises BadInput at the first difference.
    """
    chats = 0
    hard = [f"Student: {text}" for text in HARD]
    for dialogue in tqdm([*dialogues, *hard], desc="token ids", unit="prompt", delay=2):
        messages = tutor_messages(inference_prompt, dialogue)
        ours = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
        _same(tokenizer, ours, server.chat_ids(messages), dialogue, "llama.cpp by the file's chat template")
        hard_chat = [{"role": "user", "content": dialogue.removeprefix("Student: ")}]
        if chat := hard_chat if dialogue in hard else as_chat(dialogue):
            chats += 1
            _same(tokenizer, ours, server.tokenize(render(go_template, chat)), dialogue, "the Modelfile's TEMPLATE")
    return len(dialogues) + len(hard), chats


def _same(tokenizer, ours: list[int], theirs: list[int], dialogue: str, by: str) -> None:
    if ours == theirs:
        return
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))

    def token(ids: list[int]) -> str:
        return f"{ids[at]} {tokenizer.convert_ids_to_tokens(ids[at])!r}" if at < len(ids) else "none"

    raise BadInput(
        "not exported: the file reads a prompt otherwise than the tutor did when it was trained. "
        f"Token {at + 1} is {token(ours)} in transformers and {token(theirs)} in {by}, after "
        f"{tokenizer.decode(ours[max(0, at - 12) : at])!r} (the dialogue that ends {dialogue[-60:]!r}). The tokenizer "
        "files of the weights are not those of the base model, or llama.cpp does not know this tokenizer (for Phi-3 it "
        "goes by the model's name: see --base)"
    )


def reference(weights: str, prompts: Sequence[list[int]], answers: Sequence[list[int]], device: str) -> Reference:
    """Forward each prompt with its answer in float32; keep the next-token distribution at every token of the answer."""
    import torch

    model, _ = models.load(weights, device, "float32")
    log_probs = []
    with torch.inference_mode():
        for prompt, answer in tqdm(list(zip(prompts, answers, strict=True)), desc="reference", unit="prompt"):
            ids = torch.tensor([prompt + answer], device=model.device)
            logits = model(input_ids=ids, logits_to_keep=len(answer) + 1).logits[0]
            log_probs.append(logits.float().log_softmax(-1).cpu().numpy())
    return Reference(list(prompts), list(answers), log_probs)


def measure(server: LlamaServer, slots: int, known: Reference, description: str) -> Parity:
    """Ask the server for its next-token distribution at every position of the reference answers, and compare."""
    with tqdm(total=sum(map(len, known.log_probs)), desc=description, unit="token") as bar:

        def ask(slot: int) -> list[tuple[list[float], list[bool], list[bool]]]:
            found = []
            for i in range(slot, len(known.prompts), slots):  # a prompt stays in one slot, so its cache is reused
                kls, hits, ties = [], [], []
                for k, row in enumerate(known.log_probs[i]):
                    ids, log_q = server.next_token(known.prompts[i] + known.answers[i][:k], slot)
                    kls.append(divergence(row, np.array(ids), np.array(log_q)))
                    hits.append(ids[0] == int(row.argmax()))
                    ties.append(bool(row[ids[0]] >= row.max() - TIE))
                    bar.update()
                found.append((kls, hits, ties))
            return found

        with ThreadPoolExecutor(slots) as pool:
            rows = [row for rows in pool.map(ask, range(slots)) for row in rows]
    kls, hits, ties = (np.concatenate(column) for column in zip(*rows, strict=True))
    return Parity(
        prompts=len(rows), tokens=len(kls), kl=float(kls.mean()), kl_p99=float(np.quantile(kls, 0.99)),
        top_1=float(hits.mean()), top_1_or_tie=float(ties.mean()),
    )  # fmt: skip


def divergence(log_p: np.ndarray, ids: np.ndarray, log_q: np.ndarray) -> float:
    """Compute KL(P || Q) in nats from log P (vocabulary,) and the likeliest `ids` (k,) of Q with their log Q (k,).

    All other tokens are merged into one outcome, so this is a lower bound: merging outcomes never raises a divergence.
    """
    log_p = log_p[ids].astype(float)
    p, q = np.exp(log_p), np.exp(log_q)
    rest_p, rest_q = max(1 - p.sum(), 1e-12), max(1 - q.sum(), 1e-12)
    return float((p * (log_p - log_q)).sum() + rest_p * np.log(rest_p / rest_q))


def check_f16(found: Parity) -> None:
    """Raise BadInput if an f16 file does not predict what the original weights predict."""
    if not (found.kl < KL_LIMIT and found.top_1_or_tie >= TOP_1_LIMIT):
        raise BadInput(
            f"not exported: the f16 file is not the model that it was made from: KL {found.kl:.1e} (limit "
            f"{KL_LIMIT:g}), same likeliest token at {found.top_1_or_tie:.1%} of {found.tokens} positions (limit "
            f"{TOP_1_LIMIT:.0%}). The prompts have the same tokens, so llama.cpp computes this architecture otherwise "
            "than transformers does"
        )
