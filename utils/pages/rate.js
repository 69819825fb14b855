// Keys of the rating page: y, n and 1 to 5 answer the marked question, Enter saves, b or Backspace goes back.
(() => {
  const questions = () => [...document.querySelectorAll("fieldset.criterion")];
  const inputs = (question) => [...question.querySelectorAll("input[type=radio]")];
  const unanswered = () => questions().filter((question) => !inputs(question).some((input) => input.checked));
  const keyOf = (input) => (/\((.)\)$|^(\d)$/.exec(input.closest("label").textContent.trim()) || []).slice(1).join("");
  const inputFor = (question, press) => question && inputs(question).find((input) => keyOf(input) === press);
  const visible = (element) => element && element.offsetParent !== null;
  let marked = null;     // the question that the next key answers
  let waiting = null;    // keys pressed while the server saves: they belong to the next answer
  let place = "";

  const mark = (question) => {
    questions().forEach((one) => one.classList.toggle("active", one === question));
    marked = question;
  };

  // Gradio ties no name to a group of radio buttons, and gives each button a group of its own: a screen reader would
  // not say what is asked, and arrow keys would not move within the group.
  const tie = () => document.querySelectorAll("fieldset").forEach((one) => {
    const title = one.querySelector("[data-testid=block-info]");
    if (!title || !inputs(one).length) return;
    one.setAttribute("role", "radiogroup");
    one.setAttribute("aria-label", title.textContent.trim());
    inputs(one).forEach((input) => { input.name = one.id; });
  });

  // Called when the server has answered. Another answer is shown from its top, where a screen reader begins.
  window.answerShown = () => setTimeout(() => {
    tie();
    mark(unanswered()[0] || null);
    const now = document.querySelector("#progress .hint")?.innerText || "";
    if (now !== place && visible(document.querySelector("#heading"))) {
      document.querySelector("#progress").scrollIntoView({ block: "start" });
      document.querySelector("#heading").focus({ preventScroll: true });
    }
    place = now;
    const keys = waiting || [];
    waiting = null;
    keys.forEach(press);
  }, 100);

  const press = (key) => {
    if (waiting) { waiting.push(key); return true; }
    if (key === "enter" || key === "b" || key === "backspace") {
      waiting = [];
      document.querySelector(key === "enter" ? "#save" : "#back").click();
      return true;
    }
    const focused = document.activeElement?.closest("fieldset.criterion");
    const next = marked || focused;  // once all is answered, a key corrects the question that has the focus
    const input = inputFor(next, key) || inputFor(unanswered().find((one) => inputFor(one, key)), key);
    if (!input) return false;
    input.focus({ preventScroll: true });  // here Enter saves; on the known answer or a button it would press that
    input.click();
    return true;
  };

  document.addEventListener("change", (event) => {
    if (!event.target.closest("fieldset.criterion")) return;
    setTimeout(tie);  // Gradio has named the chosen button anew
    mark(unanswered()[0] || null);
    (marked || document.querySelector("#save")).scrollIntoView({ block: "nearest" });
  });

  document.addEventListener("keydown", (event) => {
    const target = event.target, key = event.key.toLowerCase();
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (target.tagName === "TEXTAREA" || (target.tagName === "INPUT" && target.type === "text")) {
      if (key === "escape") target.blur();
      return;
    }
    if (!visible(document.querySelector("#save")) || document.querySelector("#keys input")?.checked === false) return;
    if (key === "enter" && ["BUTTON", "SUMMARY", "A"].includes(target.tagName)) return;
    if (press(key)) event.preventDefault();
  });
})();
