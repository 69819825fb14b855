"""Make and measure the files of an export, each once. They get their final names only when all have passed.

Everything is first made in `work/` of the output folder. The manifest records the inputs, so a stopped run resumes, and
a run with other inputs says which differ.
"""

import functools
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from utils import models
from utils.artifacts import read_json, sha256, whole, write_json
from utils.errors import BadInput, no_room
from utils.export import gguf, parity, scores
from utils.export.llama_cpp import LlamaServer, serve
from utils.export.modelfile import go_template, parameters
from utils.export.source import Source
from utils.journal import key_of
from utils.judges.judge import Judge
from utils.manifest import Manifest
from utils.tutors.local import fit_prompt

REFERENCE = "float32"  # the label of the weights' own answers
SLOTS = 6  # requests that the server works on at once
DIALOGUES, TOKENS = 8, 40  # answers whose next-token distributions are compared, and tokens of each


class Files:
    """The GGUF files of one tutor in the requested kinds, and their measurements."""

    def __init__(self, source: Source, judge: Judge, folder: Path, kinds: list[str], device: str, overwrite: bool):
        self.source, self.judge, self.folder, self.kinds, self.device = source, judge, folder, kinds, device
        self.labels = list(dict.fromkeys(["f16", *kinds]))  # all other files are measured against the f16 file
        self.work = folder / "work"
        self.manifest = Manifest(folder, overwrite)
        self.tokenizer = models.load_tokenizer(str(source.weights))
        self.context = usable_context(source.weights)
        self.answer_room = max(source.max_new_tokens, TOKENS)
        self.made_of = {"weights": sha256(source.weights), "name": source.name}
        self.asked = {
            **self.made_of, "prompt": source.template, "judge": self.judge.settings, "top_k": source.top_k,
            "max_new_tokens": source.max_new_tokens, "temperature": source.temperature,
            "judged": key_of([seed.text for seed in source.judged]),
            "dialogues": key_of([seed.text for seed in source.dialogues]),
        }  # fmt: skip

    def make(self) -> None:
        """Convert, quantise and measure. Raises BadInput if the f16 file does not equal the original weights."""
        for kind in self.labels:
            self._make(f"{kind}.gguf", self.made_of, functools.partial(self._write, kind))
            self._make(f"{kind}.json", self.asked, functools.partial(self._measure, kind))

    def table(self) -> list[dict[str, Any]]:
        """Return a row per file, f16 first: size, bits, ids, KL, top-1, the judge's mean and paired difference."""
        found = [read_json(self.work / f"{label}.json") for label in self.labels]
        paired = scores.against_reference([one["rows"] for one in found], self._rows_in_float32())
        return [
            {"kind": label, **{k: v for k, v in one.items() if k != "rows"}, "score": comparison}
            for label, one, comparison in zip(self.labels, found, paired, strict=True)
        ]

    def template(self) -> str:
        """Return the Modelfile's TEMPLATE, which `make` has verified."""
        return read_json(self.work / "f16.json")["template"]

    def parameters(self) -> dict[str, Any]:
        """Return Ollama's parameters for this tutor."""
        source = self.source
        return parameters(self.context, source.max_new_tokens, source.temperature, source.top_k)

    def publish(self) -> list[Path]:
        """Give the requested files their final names, and put the weights beside them.

        A kind that only an earlier run requested is removed, since the card does not mention it.
        """
        names = {kind: self.folder / f"{self.source.name}-{kind.upper()}.gguf" for kind in gguf.KINDS}
        for kind, path in names.items():
            if kind in self.kinds:
                place(self.work / f"{kind}.gguf", path)
            else:
                path.unlink(missing_ok=True)
        for path in self.source.weights.iterdir():
            if path.is_file():
                place(path, self.folder / path.name)
        return [names[kind] for kind in self.kinds]

    def _make(self, name: str, inputs: dict[str, Any], run) -> None:
        self.manifest.make(f"work/{name}", "export", inputs, run)

    def _write(self, kind: str) -> None:
        target, log = self.work / f"{kind}.gguf", self.work / f"{kind}.make.log"
        if kind in gguf.CONVERTED:
            gguf.convert(self.source.weights, target, kind, self.source.name, log)
        else:
            gguf.quantise(self.work / "f16.gguf", target, kind, log)

    def _measure(self, kind: str) -> None:
        path = self.work / f"{kind}.gguf"
        longest = max(len(self._prompt(seed)) for seed in self.source.judged)
        room = min(self.context, longest + self.answer_room + 8)
        with serve(path, context=room, slots=SLOTS, log=self.work / f"{kind}.log") as server:
            template = go_template(self.tokenizer, self.source.template, adds_bos(server, self.tokenizer))
            dialogues = [seed.text for seed in self.source.dialogues]
            prompts, chats = parity.check_ids(server, self.tokenizer, self.source.template, template, dialogues)
            found = parity.measure(server, SLOTS, self._reference(), f"{kind}: next-token probabilities")
            if kind == "f16":
                parity.check_f16(found)
            name, out = f"{kind}-{sha256(path)}", self.work / f"{kind}.json"
            rows = scores.answer_and_grade(self.source, self.judge, name, out, server=server.address)
        bits = gguf.bits_per_weight(path, self.work / "f16.gguf")
        row = {"bytes": path.stat().st_size, "bits": bits, "ids_equal": prompts, "chats": chats}
        write_json(out, row | {"template": template, "parity": asdict(found), "rows": rows})

    def _rows_in_float32(self) -> list[dict[str, Any]]:
        self._make(f"{REFERENCE}.json", self.asked, self._answer_in_float32)
        return read_json(self.work / f"{REFERENCE}.json")["rows"]

    def _answer_in_float32(self) -> None:
        model, out = str(self.source.weights), self.work / f"{REFERENCE}.json"
        rows = scores.answer_and_grade(self.source, self.judge, model, out, device=self.device)
        write_json(out, {"rows": rows})

    @functools.cache  # noqa: B019 - there is one object, and it lives as long as the program
    def _reference(self) -> parity.Reference:
        rows = self._rows_in_float32()[:DIALOGUES]
        answers = [self.tokenizer(row["output"], add_special_tokens=False).input_ids[:TOKENS] for row in rows]
        prompts = [self._prompt(seed) for seed in self.source.judged[:DIALOGUES]]
        return parity.reference(str(self.source.weights), prompts, answers, self.device)

    def _prompt(self, seed) -> list[int]:
        return fit_prompt(self.tokenizer, self.source.template, seed, self.context - self.answer_room)[0]


def adds_bos(server: LlamaServer, tokenizer) -> bool:
    """Return whether llama.cpp itself adds the beginning-of-sequence token to every prompt."""
    return tokenizer.bos_token_id is not None and server.tokenize("")[:1] == [tokenizer.bos_token_id]


def usable_context(weights: Path) -> int:
    """Return the longest context, in tokens, for which llama.cpp and transformers compute the same.

    With longrope (Phi-3 128k), llama.cpp chooses its factors by the allocated context and transformers by the prompt's
    length. They agree only up to the model's original context length.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(weights).get_text_config()
    rope = getattr(config, "rope_parameters", None) or {}
    first = rope.get("original_max_position_embeddings") or getattr(config, "original_max_position_embeddings", None)
    return first if first and rope.get("rope_type") == "longrope" else models.context_length(str(weights))


def place(source: Path, target: Path) -> None:
    """Put a file at `target`, as a hard link if the file system supports it, else as a copy."""
    if target.exists() and target.samefile(source):
        return  # renaming one hard link of a file over another does nothing, so `part` would stay
    with whole(target) as part:
        try:
            os.link(source.resolve(), part)
        except OSError:
            shutil.copyfile(source, part)


def check_place(source: Source, folder: Path, kinds: list[str]) -> None:
    """Check the output folder. Raises OSError if the files would not fit, BadInput if it has the original weights."""
    if source.weights.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise BadInput(f"{folder}: give an --output-dir outside of the weights")
    size = sum(path.stat().st_size for path in source.weights.glob("*.safetensors"))
    needed = size * (1 + 0.55 * len([kind for kind in kinds if kind != "f16"]))
    needed -= sum(path.stat().st_size for path in (folder / "work").glob("*.gguf"))
    free = shutil.disk_usage(next(parent for parent in (folder, *folder.resolve().parents) if parent.exists())).free
    if free < needed:
        raise no_room(folder, "the files need", needed, free)
