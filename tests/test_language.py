"""The offline judge is English only, and says so before anything is spent; a language model reads any language."""

import json
import logging
from pathlib import Path

import pytest

import eval_model
import pipeline
from utils.cli import call
from utils.clients.chat import JudgeError
from utils.errors import BadInput
from utils.judges.judge import OfflineJudge
from utils.judges.panel import PanelJudge
from utils.rubric.language import SAMPLE, is_foreign
from utils.seeds.read import DATASETS_DIR, find_datasets, find_seeds, read_seeds
from utils.tutors.baselines import ConstantTutor

OTHER = {
    "German": "Ein Zug fährt in 4 Stunden 320 km. Ich habe 80 km/h. Stimmt das?",
    "German, short": "Der Ball fällt 30 Meter. Wie lange?",
    "French": "J'ai 12 pommes et j'en donne 5 à Marie. Il me reste 8 pommes, c'est juste ?",
    "Spanish": "Tengo que calcular el área de un triángulo y no sé por qué sale 24.",
    "Portuguese": "Eu somei os dois números, mas não sei se está certo. Como faço?",
    "Italian": "Ho moltiplicato la base per l'altezza, ma il risultato non torna. Perché?",
    "Dutch": "Ik heb het getal door vier gedeeld, maar het klopt niet. Wat doe ik fout?",
    "Polish": "Dodałem obie liczby, ale nie wiem, dlaczego wynik jest zły.",
    "Turkish": "İki sayıyı topladım ama sonuç yanlış çıktı, nerede hata yaptım bilmiyorum.",
    "Finnish": "Laskin molemmat luvut yhteen, mutta en ymmärrä miksi vastaus on väärin tässä.",
    "Russian": "Я сложил оба числа, но ответ неверный.",
    "Greek": "Πρόσθεσα τους δύο αριθμούς και βρήκα 12.",
    "Arabic": "جمعت العددين وكان الناتج خطأ",
    "Hindi": "मैंने दोनों संख्याओं को जोड़ा।",
    "Chinese": "我把两个数加起来,得到12。对吗?",
    "Japanese": "2つの数を足したら12になりました。正しいですか。",
    "Korean": "두 수를 더했더니 12가 나왔어요.",
}
ENGLISH = (
    "I think 3/4 + 1/2 = 4/6. Is that right?",
    "42",
    "x = 3",
    "def fib(n):\n    return fib(n - 1) + fib(n - 2)\nIt never stops.",
    "I don't know what the word 'Schadenfreude' means, is it from German?",
    "Where do I put the accent in 'está'? My teacher says el niño está aquí.",
    "ok",
    "What's the Δ between α and β here?",
)


class Asked(ConstantTutor):
    """Counts how often it is asked."""

    times = 0

    def answer(self, *args, **keywords):
        type(self).times += 1
        return super().answer(*args, **keywords)


def seeds(path: Path, *texts: str) -> Path:
    path.write_text("".join(json.dumps({"text": f"Student: {text}"}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.mark.parametrize("language", OTHER)
def test_another_language_is_seen(language):
    assert is_foreign(f"Student: {OTHER[language]}")


@pytest.mark.parametrize("text", ENGLISH)
def test_english_is_not_taken_for_another_language(text):
    assert not is_foreign(f"Student: {text}")


def test_no_dialogue_that_ships_is_taken_for_another_language():
    for name in find_datasets(DATASETS_DIR):
        for split in ("train", "test"):
            assert not [one.id for one in read_seeds(find_seeds(DATASETS_DIR, name, split)) if is_foreign(one.text)]


def test_it_is_refused_before_a_model_is_asked_where_nothing_could_be_scored(tmp_path):
    path, tutor = seeds(tmp_path / "wurf.jsonl", OTHER["German"], OTHER["German, short"]), Asked()
    with pytest.raises(BadInput, match=r"English only, and all dialogues look like another .*--judge-llm openai"):
        eval_model.main(seeds=[path], output_path=tmp_path / "x.json", tutor=tutor, judge=OfflineJudge())
    assert tutor.times == 0 and not (tmp_path / "x.json").exists()


def test_some_dialogues_in_another_language_are_said_once(tmp_path, caplog):
    path = seeds(tmp_path / "both.jsonl", *ENGLISH, OTHER["French"])
    judge = OfflineJudge()
    with caplog.at_level(logging.WARNING):
        for name in "ab":
            eval_model.main(seeds=[path], output_path=tmp_path / f"{name}.json", tutor=ConstantTutor(), judge=judge)
    said = [record.getMessage() for record in caplog.records if "English only" in record.getMessage()]
    assert len(said) == 1 and "1 of 9 dialogues look like another language (Student: J'ai 12" in said[0]


def test_a_pipeline_says_it_before_anything_else_even_in_a_dry_run(tmp_path):
    for split in ("train", "test"):
        seeds(tmp_path / f"wurf_{split}.jsonl", *(OTHER["German"].replace("4", str(n)) for n in range(5, 9)))
    flags = ["--datasets-dir", str(tmp_path), "--output-dir", str(tmp_path / "run"), "--dry-run"]
    with pytest.raises(BadInput, match="English only, and all dialogues"):
        call(pipeline.main, pipeline.parse_args(flags))
    assert not (tmp_path / "run").exists()


class Reads:
    """A member of a panel that reads everything."""

    name, settings, grading = "reads all", {}, None

    def see(self, conversations):
        pass


def test_a_panel_goes_on_with_the_judge_that_reads_it_and_says_which_does_not(caplog):
    texts = [f"Student: {OTHER['Russian']}"] * (SAMPLE + 50)
    with caplog.at_level(logging.WARNING):
        PanelJudge([OfflineJudge(), Reads()]).see(texts)
    assert "of the panel, the offline judge reads English only, and all dialogues of those looked at" in caplog.text
    with pytest.raises(BadInput):
        PanelJudge([OfflineJudge(), OfflineJudge()]).see(texts)


def test_a_language_model_as_the_judge_is_not_told_anything(tmp_path, caplog, monkeypatch):
    """It is asked: the run ends at the server that is not there, not at the language."""
    from utils.judges.flags import from_flags

    def check():
        raise JudgeError("nobody there")

    judge = from_flags(judge_llm=[["openai", "none", "qwen3"]])
    monkeypatch.setattr(judge.chat, "check", check)
    with caplog.at_level(logging.WARNING), pytest.raises(JudgeError, match="nobody there"):
        eval_model.main(
            seeds=[seeds(tmp_path / "wurf.jsonl", OTHER["German"])], output_path=tmp_path / "x.json",
            tutor=ConstantTutor(),
            judge=judge,
        )  # fmt: skip
    assert "English only" not in caplog.text
