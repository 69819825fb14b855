"""Let the judge itself play the tutor: it answers every test dialogue with the same prompt, and is graded.

    python -m self_eval --seeds datasets/mathdial_test.jsonl --output-path runs/self.json

This is the ceiling that a fine-tuned model is compared with. The offline judge has no LLM that could answer: its
tutor is the base model, which answers five times, and the rubric takes the best (`tutor` in each row says so).
"""

import argparse
from pathlib import Path
from typing import Any

from utils import cli

BEST_OF, TEMPERATURE = 5, 1.0


def main(
    *, seeds: str, output_path: str, instruct_model: str, temperature: float, top_k: int, max_new_tokens: int,
    inference_prompt: str, seed: int, device: str, dtype: str, engine: str, server: str, limit: int | None = None,
    overwrite: bool = False, **judge_flags: Any,
) -> dict[str, Any]:  # fmt: skip
    """Write the graded answers to `output_path`; returns their means (`utils.evaluation.summarise`)."""
    from utils.artifacts import journal_beside, refuse_existing, write_json
    from utils.evaluation import format_summary, graded_row, summarise, to_grade
    from utils.judges.flags import from_flags
    from utils.judges.grading import grade
    from utils.prompts import load_template
    from utils.records import Verdict
    from utils.seeds.read import read_seeds
    from utils.tutors.chat_tutor import answer_by_chat, came
    from utils.tutors.local import Sampling, answer_seeds

    refuse_existing(output_path, overwrite)
    dialogues = read_seeds(seeds, limit)
    judge = from_flags(**judge_flags)
    judge.check()
    chat = tutor_of(judge)
    what = f"{Path(output_path).stem} on {Path(seeds).stem}"
    candidates = journal_beside(output_path, "candidates")
    if chat:
        template = load_template(inference_prompt, "input")
        replies, dropped = answer_by_chat(
            chat, dialogues, template, candidates, temperature=temperature, seed=seed, max_tokens=max_new_tokens,
            concurrency=judge.grading.concurrency, description=f"answers {what}",
        )  # fmt: skip
        samples = [[one] for one in replies]
    else:
        answers = answer_seeds(
            dialogues, instruct_model, Sampling(BEST_OF, temperature, top_k, max_new_tokens, seed),
            inference_prompt=inference_prompt, journal_path=candidates, device=device, dtype=dtype,
            engine=engine, server=server, description=f"answers {what}",
        )  # fmt: skip
        samples, dropped = answers.samples, answers.dropped_turns
    flat = [sample for row in samples for sample in row]
    items = to_grade(dialogues, samples)
    answered = [item for item, sample in zip(items, flat, strict=True) if not chat or came(sample)]
    graded = iter(grade(judge, answered, journal_beside(output_path, "verdicts"), description=f"grades {what}"))
    verdicts = [
        next(graded) if not chat or came(sample)
        else Verdict(
            evaluation=None, score=None, raw_evaluation="", judge=judge.name,
            evaluation_error=f"no answer came to be graded (finish_reason={sample.finish_reason})",
        )
        for sample in flat
    ]  # fmt: skip
    per_seed = len(samples[0])
    rows = []
    for i, dialogue in enumerate(dialogues):
        given = verdicts[i * per_seed : (i + 1) * per_seed]
        best = max(range(per_seed), key=lambda k, given=given: -1 if given[k].score is None else given[k].score)
        rows.append(
            graded_row(
                dialogue, samples[i][best], given[best], tutor=tutor_name(chat, instruct_model), best_of=per_seed,
                dropped_turns=dropped[i],
            )
        )  # fmt: skip
    write_json(output_path, rows)
    summary = summarise(rows)
    print(f"{what} ({tutor_name(chat, instruct_model)}): {format_summary(summary)}")
    return summary | {"tutor": tutor_name(chat, instruct_model)}


def tutor_of(judge):
    """The chat model behind the judge (the first one, of a panel), or None for the offline judge."""
    from utils.judges.chat_judge import ChatJudge

    return next((member.chat for member in getattr(judge, "members", [judge]) if isinstance(member, ChatJudge)), None)


def tutor_name(chat, instruct_model: str) -> str:
    """The tutor's real name: the judge's model, or what stands in for it."""
    from utils.models import display_name

    return chat.name if chat else f"{display_name(instruct_model)}, best of {BEST_OF}"


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    cli.add_seeds_flags(parser)
    parser.add_argument("--instruct-model", default=cli.DEFAULT_MODEL, help="answers where the judge is no LLM")
    cli.add_generation_flags(parser, max_new_tokens=250, temperature=TEMPERATURE)
    cli.add_judge_flags(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    cli.run(main, parse_args)
