"use strict";
// What models wrote goes into the page by textContent alone: nothing in it can become markup or script.

const PAGE = 20; // cards drawn at once

function el(tag, className = "", text = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

function text(className, words) {
  const node = el("div", "text " + className, words);
  node.dir = "auto";
  return node;
}

function signed(number) {
  const size = Math.abs(number).toFixed(2);
  return (number < 0 && Number(size) ? "−" : "+") + size; // never −0.00
}

function score(answer, judge) {
  return answer?.verdicts[judge]?.score ?? null;
}

function difference(answer, other, judge) {
  const [one, two] = [score(answer, judge), score(other, judge)];
  return one === null || two === null ? null : one - two;
}

// The filters, by the name of their field: does an answer pass, given its verdict and the field's value?
const CRITERIA = {
  asks: c => c.questions === "yes", "asks-not": c => c.questions === "no",
  reveals: c => c.reveal_answer === "yes", keeps: c => c.reveal_answer === "no",
  "off-topic": c => c.on_topic <= 2, unhelpful: c => c.helpful <= 2,
};
const FILTERS = {
  criterion: (v, value) => v?.criteria && CRITERIA[value](v.criteria),
  from: (v, value) => v?.score >= Number(value) - 1e-9,
  to: (v, value) => v?.score <= Number(value) + 1e-9,
  guard: (v, value) => v && (value === "*" ? v.guards.length > 0 : value === "-" ? !v.guards.length : v.guards.includes(value)),
  verdict: (v, value) => v && (value === "valid") === (v.score !== undefined),
};

// The orders: what a row is sorted by, smallest first. `scores` and `changes` are those of the answers looked at.
const ORDERS = {
  worst: (scores, changes) => Math.min(...scores), best: (scores, changes) => -Math.max(...scores),
  changed: (scores, changes) => -Math.max(...changes.map(Math.abs)), closest: (scores, changes) => Math.min(...changes.map(Math.abs)),
  lost: (scores, changes) => Math.min(...changes), gained: (scores, changes) => -Math.max(...changes),
};

class Explorer {
  // `rows`: what can be shown. `view`: how rows of this kind are looked at, see ANSWERS and PAIRS.
  constructor(id, rows, view, data) {
    this.section = document.getElementById(id);
    this.form = this.section.querySelector("form");
    if (!this.form) return;
    Object.assign(this, {id, rows, view, data, texts: new Map()});
    this.list = this.section.querySelector(".rows");
    this.more = this.section.querySelector(".more");
    this.defaults = String(this.state());
    let timer;
    this.form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => this.changed(), 120); });
    this.form.addEventListener("reset", () => setTimeout(() => this.changed()));
    this.form.addEventListener("submit", event => event.preventDefault());
    this.more.addEventListener("click", () => this.draw().focus());
    addEventListener("hashchange", () => this.follow());
    if (!this.follow()) this.select();
  }

  state() {
    return new URLSearchParams([...new FormData(this.form)].filter(([, value]) => value !== ""));
  }

  changed() {
    const state = String(this.state());
    history.replaceState(null, "", "#" + this.id + (state === this.defaults ? "" : "?" + state));
    this.select();
  }

  // Set the form as the address says; whether it speaks of this form.
  follow() {
    const [id, query] = location.hash.slice(1).split("?");
    if (id !== this.id || !query) return false;
    const wanted = new URLSearchParams(query);
    this.form.reset();
    for (const field of this.form.elements) {
      if (!field.name) continue;
      if (field.type === "checkbox") field.checked = wanted.has("beside") ? wanted.getAll("beside").includes(field.value) : field.defaultChecked;
      else if (wanted.has(field.name)) field.value = wanted.get(field.name);
    }
    this.select();
    this.section.scrollIntoView();
    return true;
  }

  searched(row) {
    if (!this.texts.has(row)) {
      const answers = this.view.all(row);
      const words = answers.flatMap(a => [a.text, ...a.verdicts.flatMap(v => v ? [...v.reasons, v.error, v.raw] : [])]);
      this.texts.set(row, [row.id, row.group, row.prompt, row.known, ...words].join("\n").toLowerCase());
    }
    return this.texts.get(row);
  }

  select() {
    const value = this.value = Object.fromEntries(this.state());
    this.value.beside = this.state().getAll("beside");
    this.judge = Number(value.judge ?? 0);
    const filters = Object.keys(FILTERS).filter(name => value[name] !== undefined);
    const words = (value.q ?? "").toLowerCase();
    const passes = answer => filters.every(name => FILTERS[name](answer.verdicts[this.judge], value[name]));
    this.found = this.rows.filter(row =>
      (!value.set || row.set === value.set) && (!value.id || row.id === value.id) && this.view.wanted(row, value)
      && (filters.length ? this.view.looked(row, value, this.data).some(passes) : true)
      && (!words || this.searched(row).includes(words)));
    const order = ORDERS[value.order];
    if (order) {
      const place = new Map(this.found.map(row => {
        const answers = this.view.looked(row, value, this.data);
        const scores = answers.map(a => score(a, this.judge)).filter(s => s !== null);
        const changes = this.view.changes(row, answers, this.judge).filter(d => d !== null);
        const number = order(scores, changes);
        return [row, Number.isFinite(number) ? number : Infinity]; // those without a score come last
      }));
      this.found.sort((a, b) => place.get(a) === place.get(b) ? 0 : place.get(a) - place.get(b));
    }
    this.section.querySelector(".count").textContent = `${this.found.length} of ${this.rows.length} ${this.view.what}`;
    this.list.replaceChildren();
    this.shown = 0;
    this.draw();
  }

  // Draw the next cards; returns the first of them.
  draw() {
    const cards = this.found.slice(this.shown, this.shown + PAGE).map(row => this.card(row));
    this.list.append(...cards);
    this.shown += cards.length;
    this.more.hidden = this.shown >= this.found.length;
    this.more.textContent = `Show more: ${this.found.length - this.shown} are not shown yet`;
    return cards[0];
  }

  card(row) {
    const link = el("a", "", row.id);
    link.href = "#" + this.id + "?" + new URLSearchParams({set: row.set, id: row.id, ...this.view.linked});
    const title = el("h3", "", this.data.sets[row.set] + " · ", link);
    const card = el("article", "", "", title);
    card.tabIndex = -1;
    if (row.prompt.length > 3000) {
      card.append(text("dialogue", "… " + row.prompt.slice(-900)));
      card.append(el("details", "", "", el("summary", "", `the whole dialogue, ${row.prompt.length.toLocaleString("en")} characters`), text("dialogue", row.prompt)));
    } else card.append(text("dialogue", row.prompt));
    if (row.known) card.append(el("details", "", "", el("summary", "", "the known answer"), text("", row.known)));
    if (row.why) card.append(el("p", "warning", "No pair: " + row.why + "."));
    card.append(el("div", "beside", "", ...this.view.columns(row, this.value, this.data).map(column => this.answer(row, ...column))));
    const rest = this.view.rest(row);
    if (rest.length) card.append(el("details", "", "", el("summary", "", `the other candidates (${rest.length})`), el("div", "beside", "", ...rest.map(a => this.answer(row, "candidate", a)))));
    return card;
  }

  answer(row, title, answer, focus) {
    const box = el("div", "answer" + (focus ? " focus" : ""), "", el("h4", "", title));
    if (!answer) { box.append(el("p", "dim", "no answer to this dialogue")); return box; }
    box.append(answer.text.trim() ? text("", answer.text) : el("p", "dim", "(an empty answer)"));
    const notes = [
      answer.finish === "length" && "cut off at the token limit",
      answer.dropped > 0 && `did not see the oldest turns (${answer.dropped})`,
      typeof answer.gain === "number" && `own-dialogue gain ${signed(answer.gain)}`,
      answer.row && `row ${answer.row} of its file`,
    ];
    box.append(el("div", "dim", notes.filter(Boolean).join(" · ")));
    answer.verdicts.forEach((verdict, judge) => { if (verdict) box.append(this.verdict(row, answer, verdict, judge)); });
    return box;
  }

  verdict(row, answer, verdict, judge) {
    const box = el("div", "verdict");
    if (this.data.judges.length > 1 && this.view.judged) box.append(el("div", "dim", this.data.judges[judge]));
    if (verdict.score === undefined) {
      box.append(el("span", "error", "no valid verdict: "), el("span", "", verdict.error));
    } else {
      box.append(el("span", "score", verdict.score.toFixed(2)));
      const change = this.view.judged ? difference(answer, this.view.against(row), judge) : null;
      if (change !== null && answer !== this.view.against(row)) box.append(el("span", change > 0 ? "up" : change < 0 ? "down" : "dim", signed(change) + " against base"));
      const c = verdict.criteria;
      const chips = [c.questions === "yes" ? "asks" : "asks nothing", `on topic ${c.on_topic}`, `helpful ${c.helpful}`, c.reveal_answer === "yes" ? "reveals the answer" : "keeps the answer"];
      box.append(el("div", "", "", ...chips.map(words => el("span", "chip", words))));
    }
    if (verdict.guards.length) box.append(el("div", "", "guards: ", ...verdict.guards.map(guard => el("span", "chip guard", guard))));
    if (verdict.reasons.length) box.append(el("ul", "", "", ...verdict.reasons.map(reason => el("li", "", reason))));
    if (verdict.raw) box.append(el("details", "", "", el("summary", "", "the judge's reply"), text("", verdict.raw)));
    return box;
  }
}

// How dialogues of a test set are looked at. `wanted`: whether a row is; `looked`: its answers that filters and orders
// look at; `changes`: the differences that orders look at; `columns`: what stands side by side; `all`: every answer.
const ANSWERS = {
  what: "dialogues", judged: true, linked: {},
  focus(row, value, data) {
    const own = data.own[row.set] ?? Object.values(data.own)[0];
    return value.tutor === "*" ? Object.keys(row.answers) : [value.tutor === "own" ? own : value.tutor];
  },
  wanted: (row, value) => true,
  looked: (row, value, data) => ANSWERS.focus(row, value, data).map(tutor => row.answers[tutor]).filter(Boolean),
  against: row => row.answers.base,
  changes: (row, answers, judge) => answers.filter(a => a !== row.answers.base).map(a => difference(a, row.answers.base, judge)),
  columns(row, value, data) {
    const focus = ANSWERS.focus(row, value, data);
    const shown = Object.keys(data.tutors).filter(tutor => focus.includes(tutor) || value.beside.includes(tutor));
    shown.sort((a, b) => (b === "base") - (a === "base"));
    return shown.map(tutor => [data.tutors[tutor], row.answers[tutor], focus.includes(tutor) && value.tutor !== "*"]);
  },
  all: row => Object.values(row.answers),
  rest: row => [],
};

// How prompts of a training set are looked at: chosen beside rejected, and the other candidates below.
const PAIRS = {
  what: "prompts", judged: false, linked: {pair: "all"},
  wanted: (row, value) => value.pair === "all" || (value.pair === "yes" ? row.pair : value.pair === "no" ? !row.pair : row.why === value.pair),
  looked: (row, value) => value.side ? [row.candidates[row[value.side]]].filter(Boolean) : row.candidates,
  changes: (row, answers, judge) => [difference(row.candidates[row.chosen], row.candidates[row.rejected], judge)],
  columns: row => [["best that may be chosen", "chosen"], ["worst", "rejected"]].map(([other, side]) =>
    [row.pair ? side : other, row.candidates[row[side]], row.pair && side === "chosen"]),
  all: row => row.candidates,
  rest: row => row.candidates.filter((_, k) => k !== row.chosen && k !== row.rejected),
};

async function unpack() {
  const packed = document.getElementById("data").textContent;
  const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

unpack().then(data => {
  new Explorer("answers", data.dialogues, ANSWERS, data);
  new Explorer("pairs", data.prompts, PAIRS, data);
}, error => {
  for (const list of document.querySelectorAll(".count")) list.textContent = `The transcripts cannot be unpacked here (${error}): a browser of 2023 or later can.`;
});
