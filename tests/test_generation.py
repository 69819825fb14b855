"""Fast generation against plain `generate`, with the real small model; each test names the bug that it guards."""

import time

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from utils import models
from utils.errors import BadInput
from utils.prompts import tutor_messages
from utils.tutors import generation, step_attention
from utils.tutors.generation import _pick, _shared_prefix, sample_answers
from utils.tutors.local import LocalTutor
from utils.tutors.stream import LocalStream
from utils.tutors.tutor import Sampling

DIALOGUES = [
    "Student: Is 7 x 8 = 54?",
    "Student: My code prints None.\nTeacher: Where does the function hand something back?\nStudent: I print.",
    "Student: Why is the sky blue? I think it mirrors the sea.",
]
GREEDY = {"num_samples": 1, "temperature": 0, "top_k": 0, "max_new_tokens": 24, "seed": 0}
SAMPLED = {"num_samples": 3, "temperature": 1.2, "top_k": 50, "max_new_tokens": 16, "seed": 0}


@pytest.fixture(scope="module")
def prompts(model_and_tokenizer):
    _, tokenizer = model_and_tokenizer
    return [
        tokenizer.apply_chat_template(
            tutor_messages("You are a tutor.\n\n{input}", dialogue), add_generation_prompt=True, return_dict=False
        )
        for dialogue in DIALOGUES
    ]


def run(model_and_tokenizer, prompts, **settings):
    return [samples for _, samples in sorted(sample_answers(*model_and_tokenizer, prompts, **settings))]


@pytest.mark.parametrize("step", [step_attention.plain_step, sdpa_attention_forward])
def test_greedy_text_is_that_of_plain_generate(step, model_and_tokenizer, prompts, monkeypatch):
    """Padding, positions or a shared prefix that are off by one change the text."""
    monkeypatch.setattr(step_attention, "fastest_step", lambda model: step)
    model, tokenizer = model_and_tokenizer
    ours = run(model_and_tokenizer, prompts, **GREEDY)
    for prompt, (sample,) in zip(prompts, ours, strict=True):
        with torch.inference_mode():
            ids = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=24)[0, len(prompt) :]
        assert sample.text == tokenizer.decode(ids, skip_special_tokens=True).strip()
    assert model.config._attn_implementation != step_attention.ATTENTION  # the model is left as it was


# Keys in groups, none shared, a sliding window, learned positions, values of another size, soft-capped scores
TEXT = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "head_dim": 8,
        "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.3}  # fmt: skip
ARCHITECTURES = {
    "llama": {},
    "gpt_neox": {},
    "phi3": {"num_key_value_heads": 4, "sliding_window": 9},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "deepseek_v3": {"num_key_value_heads": 4, "head_dim": 4, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4,
                    "qk_nope_head_dim": 8, "v_head_dim": 16, "first_k_dense_replace": 2},
    "gemma2": {"attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 8, "sliding_window": 16},
}  # fmt: skip


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_other_architectures_answer_as_plain_generate(architecture, model_and_tokenizer, prompts):
    """An attention with more to it than ours would be changed without a word."""
    tokenizer = model_and_tokenizer[1]
    torch.manual_seed(0)
    ends = {"bos_token_id": 1, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = AutoConfig.for_model(architecture, vocab_size=len(tokenizer), **ends, **TEXT | ARCHITECTURES[architecture])
    model = AutoModelForCausalLM.from_config(config).eval()
    for prompt, (sample,) in zip(prompts, run((model, tokenizer), prompts, **GREEDY), strict=True):
        with torch.inference_mode():
            ids = model.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=24)[0, len(prompt) :]
        assert sample.text == tokenizer.decode(ids, skip_special_tokens=True).strip()


@pytest.mark.parametrize("slow", ["plain_step", "sdpa_attention_forward"])
def test_the_attention_of_a_step_is_the_one_measured_to_be_faster(slow, model_and_tokenizer, monkeypatch):
    fast = {"plain_step": "sdpa_attention_forward", "sdpa_attention_forward": "plain_step"}[slow]
    attend = getattr(step_attention, slow)

    def slowly(*args, **kwargs):
        time.sleep(0.05)
        return attend(*args, **kwargs)

    monkeypatch.setattr(step_attention, slow, slowly)
    threads = torch.get_num_threads()
    assert step_attention.fastest_step(model_and_tokenizer[0]) is getattr(step_attention, fast)
    assert torch.get_num_threads() == threads


def test_a_sample_is_the_same_alone_and_in_a_group(model_and_tokenizer, prompts):
    """Rows of one batch leaking into each other, or a stream that depends on the row's place."""
    together = run(model_and_tokenizer, prompts, **SAMPLED)
    for prompt, samples in zip(prompts, together, strict=True):
        assert run(model_and_tokenizer, [prompt], **SAMPLED)[0] == samples
        assert run(model_and_tokenizer, [prompt], **SAMPLED | {"num_samples": 1})[0] == samples[:1]


def test_samples_of_one_prompt_differ_from_the_first_token_on(model_and_tokenizer, prompts):
    """The first token, sampled once from the shared prefill, was broadcast to all samples."""
    (samples,) = run(
        model_and_tokenizer, prompts[2:], **SAMPLED | {"num_samples": 12, "max_new_tokens": 1, "temperature": 2.0}
    )
    assert len({sample.text for sample in samples}) > 3
    again = run(model_and_tokenizer, prompts[2:], **SAMPLED | {"seed": 1})[0]
    assert again != run(model_and_tokenizer, prompts[2:], **SAMPLED)[0]


def test_a_finished_row_leaves_and_the_others_go_on(model_and_tokenizer, prompts, monkeypatch):
    """Dropping a finished row must drop the same row of cache, mask, positions and noise."""
    model, tokenizer = model_and_tokenizer
    before = run(model_and_tokenizer, prompts, **GREEDY)
    ids = tokenizer(before[1][0].text, add_special_tokens=False).input_ids
    stop = ids[5]
    monkeypatch.setattr(model.generation_config, "eos_token_id", [tokenizer.eos_token_id, stop])
    after = run(model_and_tokenizer, prompts, **GREEDY)
    assert after[1][0].finish_reason == "stop"
    assert after[1][0].tokens == ids.index(stop)
    for old, new in zip(before, after, strict=True):
        assert old[0].text.startswith(new[0].text)
        assert len(new[0].text) > 0


def test_an_answer_ends_where_another_turn_begins(model_and_tokenizer, prompts, monkeypatch):
    """The model that plays the student too; only a line that opens a turn ends the answer."""
    _, tokenizer = model_and_tokenizer
    script = tokenizer("What is 7 x 7? A Student: in the text is fine.\nStudent: 49, and so on and so on.").input_ids
    steps = iter(script)
    monkeypatch.setattr(generation, "_pick", lambda logits, *_: torch.tensor([next(steps)]))
    (samples,) = run(model_and_tokenizer, prompts[:1], **GREEDY | {"max_new_tokens": len(script)})
    assert samples[0].text == "What is 7 x 7? A Student: in the text is fine."
    assert samples[0].finish_reason == "speaker"


NO_MEMORY = [
    torch.OutOfMemoryError("too big"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
]


@pytest.mark.parametrize("error", NO_MEMORY, ids=["GPU", "CPU"])
def test_out_of_memory_halves_the_group_down_to_one(error, tiny, prompts, monkeypatch):
    small = models.load(tiny, device="cpu", dtype="float32")
    prompts = prompts * 2
    expected = run(small, prompts, **SAMPLED)
    sizes, decode = [], generation._decode_group

    def small_machine(model, tokenizer, prompts, *args):
        sizes.append(len(prompts))
        if len(prompts) > 1:
            raise error
        return decode(model, tokenizer, prompts, *args)

    monkeypatch.setattr(generation, "_decode_group", small_machine)
    assert run(small, prompts, **SAMPLED) == expected
    assert sizes == [6, 3] + 6 * [1]
    monkeypatch.setattr(generation, "_decode_group", lambda *_: (_ for _ in ()).throw(error))
    with pytest.raises(MemoryError, match="out of memory with a single prompt"):
        run(small, prompts[:1], **SAMPLED)


@pytest.mark.parametrize("temperature", [0, 1.2])
@pytest.mark.parametrize("when", ["from the start", "after the first token"])
def test_weights_with_nan_are_named_when_they_answer(temperature, when, tiny, prompts):
    """Sampling from NaN draws some token all the same: the answers would look like those of a poor model."""
    model, tokenizer = models.load(tiny, device="cpu", dtype="float32")
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())  # else it shares the embeddings
    read = {token for prompt in prompts for token in prompt} if when == "after the first token" else set()
    damaged = [token for token in range(len(tokenizer)) if token not in read]  # as tokens that are read, not drawn
    model.get_input_embeddings().weight.data[damaged] = float("nan")
    error = "answers with NaN: its weights are damaged, or --dtype is too narrow"
    with pytest.raises(BadInput, match=error):
        run((model, tokenizer), prompts, **SAMPLED | {"temperature": temperature})
    stream = LocalStream(LocalTutor(tiny, Sampling(temperature, 50, 16, 0), "{input}", "cpu", "float32"))
    stream.__dict__["_loaded"] = model, tokenizer
    stream._fitted = lambda dialogue: (prompts[0], 0)
    with pytest.raises(BadInput, match=error):
        list(stream.stream(""))


def test_a_run_that_goes_on_forms_the_groups_of_the_whole_run(model_and_tokenizer, prompts, monkeypatch):
    """The shared prefix and the groups were those of what was missing: after a kill 20 of 60 answers were others."""
    expected, seen, decode = run(model_and_tokenizer, prompts, **SAMPLED), [], generation._decode_group

    def note(model, tokenizer, group, prefix, shared, *args):
        seen.append((len(group), shared))
        return decode(model, tokenizer, group, prefix, shared, *args)

    monkeypatch.setattr(generation, "_decode_group", note)
    run(model_and_tokenizer, prompts, **SAMPLED)
    again = dict(sample_answers(*model_and_tokenizer, prompts, **SAMPLED, wanted={1}))
    assert list(again) == [1] and again[1] == expected[1] and seen[0] == seen[1]


def test_pick_draws_by_inverse_cdf_among_the_top_k():
    logits = torch.tensor([0.1, 0.6, 0.3, 1e-9]).log().repeat(4, 1)  # likeliest first: 0.6, 0.3, 0.1
    noise = torch.tensor([0.0, 0.59, 0.61, 0.95])
    assert _pick(logits, noise, 1.0, 0).tolist() == [1, 1, 2, 0]
    assert _pick(logits, noise, 1.0, 2).tolist() == [1, 1, 1, 2]  # 0.6 / 0.9 = 0.667 > 0.61
    assert _pick(logits, noise, 0, 0).tolist() == [1, 1, 1, 1]


def test_shared_prefix_leaves_a_token_of_every_prompt():
    assert _shared_prefix([[1, 2, 3], [1, 2, 4]]) == 2
    assert _shared_prefix([[1, 2], [1, 2]]) == 1
    assert _shared_prefix([[1, 2], [1, 2, 3]]) == 1
    assert _shared_prefix([[5], [6]]) == 0
