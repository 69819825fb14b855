"""A chat with the exported tutor, as `ollama run` holds it, is word for word the chat that transformers holds."""

import tiny_models

from utils.export import gguf
from utils.export.llama_cpp import serve
from utils.export.measured import adds_bos
from utils.export.modelfile import go_template, render
from utils.prompts import INFERENCE_PROMPT, load_template, tutor_messages

pytestmark = tiny_models.needs_export_packages
STUDENT = (
    "I think 3/4 + 1/2 = 4/6, because you add tops and bottoms.",
    "So should I draw a picture? A pizza has 4 pieces, then.",
    "Then 1/2 is 2 pieces, and 3 + 2 = 5.",
    "5 of 4 pieces? That is more than one pizza!",
)
TOKENS = 24


def test_four_turns_through_llama_cpp_are_transformers_greedy_text(model_and_tokenizer, tmp_path):
    """The small model itself, in f16 there, in float32 here; the student's next turn follows on what was answered."""
    from utils import models

    model, tokenizer = model_and_tokenizer
    prompt = load_template(INFERENCE_PROMPT, "input")
    file = tmp_path / "f16.gguf"
    weights = models.bundled_model()
    gguf.convert(weights, file, "f16", models.BUNDLED_NAME, tmp_path / "convert.log")
    chat = [{"role": "system", "content": "Fractions, lesson 3: pieces of one size."}]
    dialogue = chat[0]["content"] + "\n"
    with serve(file, context=1024, slots=1, log=tmp_path / "server.log") as server:
        template = go_template(tokenizer, prompt, adds_bos(server, tokenizer))
        for said in STUDENT:
            chat.append({"role": "user", "content": said})
            dialogue += f"\nStudent: {said}"
            ids = tokenizer.apply_chat_template(
                tutor_messages(prompt, dialogue), add_generation_prompt=True, return_tensors="pt"
            )["input_ids"]
            ours = model.generate(ids, max_new_tokens=TOKENS, do_sample=False)[0, ids.shape[1] :].tolist()
            theirs = server.greedy(server.tokenize(render(template, chat)), TOKENS)
            assert tokenizer.decode(theirs) == tokenizer.decode(ours, skip_special_tokens=True)
            assert len(theirs) > 5
            answer = tokenizer.decode(theirs, skip_special_tokens=True)
            chat.append({"role": "assistant", "content": answer})
            dialogue += f"\nTeacher: {answer}"
    assert len(chat) == 1 + 2 * len(STUDENT)
