"""Costs and the estimate before any money is spent."""

import json

import pytest

from utils.clients import prices
from utils.clients.prices import Price
from utils.judges import flags as judges

TEMPLATE = "Rubric, a hundred words.\n---\n{conversation}\n{answer}"


def settings(model, judge="openai", server="https://api.openai.com/v1"):
    return {"judge": judge, "model": model, "server": server}


def test_the_table_counts_for_openai_alone_and_dated_names_are_found():
    assert prices.price_of(settings("gpt-4o")).prompt == 2.5
    assert prices.price_of(settings("gpt-4o-2024-08-06")) == prices.PRICES["gpt-4o"]
    assert prices.price_of(settings("gpt-4o-mini")).prompt == 0.15  # and not gpt-4o's
    assert prices.price_of(settings("gpt-99")) is None
    assert prices.price_of(settings("gpt-4o", server="http://10.0.0.7:8000/v1")) is None
    assert prices.price_of(settings("gpt-4o", server="http://localhost:8000/v1")) == prices.FREE
    assert prices.price_of(settings("llama3", "ollama", "http://localhost")) == prices.FREE


def test_own_prices_go_first_and_bad_ones_are_named(tmp_path):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"gpt-4o": {"prompt": 1, "cached": 1, "completion": 1}}))
    assert prices.price_of(settings("gpt-4o", server="http://other"), path).completion == 1
    bad_numbers = ("NaN", "-1", "Infinity")  # a cost of NaN was found when the verdicts were written
    numbers = [f'{{"gpt-4o": {{"prompt": {one}, "cached": 1, "completion": 1}}}}' for one in bad_numbers]
    numbers.append('{"gpt-4o": {"prompt": 1, "cached": 1, "completion": 1, "context": "128k"}}')
    for bad in (
        *numbers,
        "[]",
        "{",
        '{"gpt-4o": {"prompt": 1}}',
        '{"gpt-4o": {"prompt": "1", "cached": 1, "completion": 1}}',
    ):
        path.write_text(bad)
        with pytest.raises(ValueError, match=r"prices\.json"):
            prices.price_of(settings("gpt-4o"), path)


def test_cost_counts_cached_tokens_at_their_price_and_batches_at_half():
    usage = {"prompt_tokens": 1000, "cached_tokens": 600, "completion_tokens": 50}
    price = Price(prompt=2.0, cached=1.0, completion=10.0)
    whole = (400 * 2.0 + 600 * 1.0 + 50 * 10.0) / 1e6
    assert prices.cost({"usage": usage}, price) == pytest.approx(whole)
    assert prices.cost({"usage": usage, "batch": True}, price) == pytest.approx(whole / 2)


def test_estimate_counts_calls_tokens_and_dollars(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    judge = judges.make_judge(["openai", "none", "gpt-4o"], TEMPLATE)
    short, long = "Student: hi", "Student: " + "word " * 3000
    [one] = prices.estimate(judge, [short], answers=1, answer_tokens=100)
    [many] = prices.estimate(judge, [short, long], answers=5, answer_tokens=100)
    assert (one.calls, many.calls) == (1, 10)
    assert many.prompt_tokens == 5 * (one.prompt_tokens + many.longest_prompt)
    assert many.longest_prompt == pytest.approx(3000 * 5 / 3.6, rel=0.1)
    assert many.cost == pytest.approx((many.prompt_tokens * 2.5 + many.completion_tokens * 10) / 1e6)
    assert "about $" in str(many) and "of 128,000" in str(many) and prices.PRICES_OF in str(many)


def test_estimate_of_a_panel_and_of_unknown_models(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    panel = judges.make_judge([["openai", "none", "gpt-4o"], ["openai", "none", "nameless"]], TEMPLATE)
    known, unknown = prices.estimate(panel, ["Student: hi"] * 3)
    assert known.calls == unknown.calls == 3
    assert unknown.cost is None and "cost unknown" in str(unknown) and "unknown context" in str(unknown)


def test_a_model_of_ones_own_is_free_and_no_price_list_is_named_without_a_price(monkeypatch):
    """ "cost unknown (prices of 2025-08)" was said of free models on the same machine."""
    for spec in (["ollama", "localhost:11434", "qwen3:14b"], ["openai", "none", "mine"]):
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
        [local] = prices.estimate(judges.make_judge(spec, TEMPLATE), ["Student: hi"])
        assert local.cost == 0 and ", free, " in str(local) and prices.PRICES_OF not in str(local)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.7:8000/v1")
    [elsewhere] = prices.estimate(judges.make_judge(["openai", "none", "mine"], TEMPLATE), ["Student: hi"])
    assert "cost unknown" in str(elsewhere) and prices.PRICES_OF not in str(elsewhere)


def test_a_prompt_longer_than_the_context_is_shouted_about(tmp_path, monkeypatch):
    (tmp_path / "p.json").write_text('{"small": {"prompt": 1, "cached": 1, "completion": 1, "context": 500}}')
    judge = judges.make_judge(["openai", "none", "small"], TEMPLATE, prices=tmp_path / "p.json")
    [one] = prices.estimate(judge, ["Student: " + "word " * 3000])
    assert "TOO LONG" in str(one)
