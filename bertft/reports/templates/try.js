"use strict";
const WORDS = {
  en: {
    model: "Model", key: "Key of this server", enter: "Enter", predict: "Predict", shortcut: "or Ctrl + Enter",
    text: "Text", text_pair: "Second text", premise: "Premise", hypothesis: "Hypothesis", question: "Question", context: "Passage",
    fillHelp: "Write [MASK] where a word is missing.", insert: "Insert [MASK]", put: "put into the text",
    wrong: "This is wrong", save: "Save the correction", wrongHelp: "Say what is right. It is kept on this server, as training data.",
    saved: file => `Kept in ${file}. To train with it: --set 'data.further=["${file}"]'`,
    file: "A file", fileHelp: "Choose, drop or paste a table or text file (CSV, TSV, TXT, XLSX, JSONL); you get it back with the predictions.",
    format: "Save as", about: "This model", working: "Predicting …", reading: "Reading the file …",
    rows: count => `${count} rows predicted.`, download: "Download", none: "No entities.", noAnswer: "The passage has no answer.",
    noLabel: "No label is probable enough.", confidence: "confidence", others: "Other answers, and their share among the candidates", all: count => `All ${count} labels`,
    truncated: length => `The text was longer than the ${length} tokens that the model reads: its end was left out.`,
    label: "Right label", labels: "Right labels", value: "Right number", selectEntity: "Select an entity in the text above, choose its type, and add it.",
    selectAnswer: "Select the right answer in the passage above.", type: "Type", add: "Add", remove: "remove", has: "There is no answer",
    labelThese: "Label these rows", isRight: "That is right", skip: "Skip (s)", undo: "Undo (u)", end: "End",
    place: (place, count) => `Row ${place} of ${count}, the least certain first.`, over: count => `${count} rows labelled.`,
    unread: count => `${count} of its rows could not be read and are left out; the predictions say why.`,
    useSelection: "Use the selection", right: "Right answer", nothing: "Nothing is selected.",
    why: "What this prediction rests on", explaining: "Explaining …",
    target: one => one.target,
    forAgainst: target => `Words for (blue) and against (orange, underlined): ${target}`, noTarget: "There is nothing to explain.", numbers: "In numbers",
    attention: "Attention: where the model looks, which need not be what its prediction rests on", layer: "Layer", head: "Head", show: "Show",
    rollout: "all (rollout)", mean: "mean of heads", to: "what a token attends to", from: "what attends to it",
    attends: (token, list) => `“${token}” attends to ${list}`, attended: (token, list) => `“${token}” is attended to by ${list}`,
    tokens: "tokens", tooLong: "The text is too long to show attention.",
    windows: count => `The text was read in ${count} windows; this is the one that decides.`,
    missed: share => `The weights of the words miss ${share} of the score: take them as a hint.`, gone: "The server does not answer.",
    scored: (count, split) => `on ${count} examples of ${split}`, ci: "95 % CI", baseline: "baseline", calibration: "calibration error",
    reads: length => `reads at most ${length} tokens`, count: count => `${count} labels`, unscored: "It was not scored.", notes: "About the file",
    faults: {},
  },
  ko: {
    model: "모델", key: "이 서버의 키", enter: "입력", predict: "예측", shortcut: "또는 Ctrl + Enter",
    text: "텍스트", text_pair: "둘째 텍스트", premise: "전제", hypothesis: "가설", question: "질문", context: "지문",
    fillHelp: "빠진 단어 자리에 [MASK]를 쓰세요.", insert: "[MASK] 넣기", put: "텍스트에 넣기",
    wrong: "예측이 틀렸습니다", save: "수정 저장", wrongHelp: "옳은 답을 알려 주세요. 이 서버에 학습 데이터로 저장됩니다.",
    saved: file => `${file}에 저장했습니다. 이 파일로 학습하려면: --set 'data.further=["${file}"]'`,
    file: "파일", fileHelp: "표나 텍스트 파일(CSV, TSV, TXT, XLSX, JSONL)을 고르거나 끌어다 놓거나 붙여 넣으면 예측을 더해 돌려드립니다.",
    format: "저장 형식", about: "이 모델", working: "예측하는 중 …", reading: "파일을 읽는 중 …",
    rows: count => `${count}개 행을 예측했습니다.`, download: "내려받기", none: "개체명이 없습니다.", noAnswer: "지문에 답이 없습니다.",
    noLabel: "확률이 충분히 높은 레이블이 없습니다.", confidence: "신뢰도", others: "다른 답과 후보 사이의 비율", all: count => `레이블 ${count}개 모두`,
    truncated: length => `텍스트가 모델이 읽는 ${length}토큰보다 길어 끝부분은 읽지 않았습니다.`,
    label: "옳은 레이블", labels: "옳은 레이블", value: "옳은 수", selectEntity: "위 텍스트에서 개체명을 선택하고 유형을 골라 추가하세요.",
    selectAnswer: "위 지문에서 옳은 답을 선택하세요.", type: "유형", add: "추가", remove: "삭제", has: "답이 없습니다",
    labelThese: "이 행에 레이블 붙이기", isRight: "맞습니다", skip: "건너뛰기 (s)", undo: "되돌리기 (u)", end: "끝내기",
    place: (place, count) => `${count}개 가운데 ${place}번째 행(확신이 낮은 것부터).`, over: count => `${count}개 행에 레이블을 붙였습니다.`,
    unread: count => `읽지 못한 행 ${count}개는 뺐습니다. 이유는 예측 파일에 있습니다.`,
    useSelection: "선택한 부분 사용", right: "옳은 답", nothing: "선택한 부분이 없습니다.",
    why: "이 예측의 근거", explaining: "근거를 계산하는 중 …",
    target: one => one.side ? `${answer.answer ? `“${answer.answer}”` : "답 없음"}의 ${one.side === "start" ? "시작" : "끝"}` : one.target,
    forAgainst: target => `뒷받침하는 단어(파란색)와 반대되는 단어(주황색 밑줄): ${target}`, noTarget: "설명할 것이 없습니다.", numbers: "숫자로 보기",
    attention: "어텐션: 모델이 보는 곳입니다. 예측의 근거와 다를 수 있습니다", layer: "층", head: "헤드", show: "보기",
    rollout: "전체(롤아웃)", mean: "헤드 평균", to: "토큰이 보는 곳", from: "토큰을 보는 곳",
    attends: (token, list) => `“${token}”이(가) 보는 토큰: ${list}`, attended: (token, list) => `“${token}”을(를) 보는 토큰: ${list}`,
    tokens: "토큰", tooLong: "텍스트가 길어 어텐션을 표시하지 않습니다.",
    windows: count => `텍스트를 창 ${count}개로 나누어 읽었습니다. 예측을 결정한 창을 설명합니다.`,
    missed: share => `단어의 기여도를 합하면 점수와 ${share} 차이가 나므로 참고로만 보세요.`, gone: "서버가 응답하지 않습니다.",
    scored: (count, split) => `${split} 예제 ${count}개 기준`, ci: "95 % 신뢰구간", baseline: "기준선", calibration: "보정 오차",
    reads: length => `최대 ${length}토큰까지 읽습니다`, count: count => `레이블 ${count}개`, unscored: "점수를 매기지 않은 모델입니다.", notes: "파일에 대하여",
    faults: {
      401: "키가 필요합니다.", 413: "텍스트나 파일이 너무 큽니다.", 429: "서버가 바쁩니다. 잠시 뒤에 다시 시도하세요.",
      503: "모델을 불러오는 중이거나 서버가 멈추는 중입니다.", 504: "제한 시간 안에 답하지 못했습니다.",
    },
  },
};
const at = id => document.getElementById(id);
const stored = name => { try { return localStorage.getItem(name); } catch { return null; } };
let language = stored("language") || (navigator.language.startsWith("ko") ? "ko" : "en");
let key = "", about = null, answer = null, asked = [], entities = [];

function say(name, ...values) {
  const word = WORDS[language][name];
  return typeof word === "function" ? word(...values) : word;
}
{% include "attention.js" %}

function clear(...nodes) { nodes.forEach(node => node.replaceChildren()); }
function tell(node, text, isFault = false) {
  node.textContent = text;
  node.classList.toggle("fault", isFault);
}
const percent = p => (100 * p).toFixed(1) + "\u00a0%";
const number = value => new Intl.NumberFormat(language, { maximumFractionDigits: 4 }).format(value);

// Places of answers count characters; those of a script count halves of some (emoji).
const points = text => Array.from(text);
const upTo = (text, units) => points(text.slice(0, units)).length;

async function ask(path, options = {}) {
  const headers = { ...(options.headers || {}) };
  if (key) headers.authorization = "Bearer " + key;
  let response;
  try { response = await fetch(path, { ...options, headers }); } catch { throw new Error(say("gone")); }
  if (response.status === 401) { at("key").hidden = false; at("secret").focus(); }
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(say("faults")[response.status] || body.error || String(response.status));
  }
  return response;
}
const post = (path, content) => ask(path, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content),
});
const model = () => at("model").value;
const below = path => `/models/${encodeURIComponent(model())}${path}`;

// --- the model ---------------------------------------------------------------------------------

async function open() {
  try {
    about = await (await ask(below("/about"))).json();
  } catch (fault) {
    tell(at("status"), fault.message, true);
    return;
  }
  answer = null;
  clear(at("result"), at("gold"), at("done"));
  at("correct").hidden = at("why").hidden = true;
  at("files").hidden = about.mask !== null;
  endSeries();
  tell(at("status"), "");
  at("name").textContent = about.name;
  document.title = about.name + " · bertft";
  showInputs();
  showFacts();
}
function showInputs() {
  const before = about.reads.map(name => at("in-" + name)?.value || "");
  clear(at("inputs"));
  about.reads.forEach((name, place) => {
    const field = element("div", at("inputs"), undefined, "field"), label = element("label", field);
    element("span", label, say(name));
    const box = element("textarea", label, undefined, name === "context" ? "long" : "");
    box.id = "in-" + name;
    box.dir = "auto";
    box.required = true;
    box.value = before[place];
    box.addEventListener("keydown", event => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("ask").requestSubmit();
    });
  });
  if (about.mask !== null) offerMask(at("in-text"));
}
function showFacts() {
  const box = at("facts"), main = about.metrics[about.metric];
  clear(box);
  if (main) {
    const line = element("p", box, about.metric + " ", "main");
    element("b", line, main.value.toFixed(4));
    const interval = main.low === undefined ? "" : `; ${say("ci")} ${main.low.toFixed(4)}–${main.high.toFixed(4)}`;
    element("p", box, say("scored", number(about.examples), about.split) + interval, "soft");
    const rows = element("tbody", element("table", box));
    const row = (name, value) => {
      const line = element("tr", rows);
      element("th", line, name).scope = "row";
      element("td", line, value);
    };
    for (const [name, one] of Object.entries(about.metrics)) if (name !== about.metric) row(name, one.value.toFixed(4));
    if (about.metric in about.baseline) row(say("baseline"), about.baseline[about.metric].toFixed(4));
    if (about.calibration_error !== null) row(say("calibration"), about.calibration_error.toFixed(4));
  } else element("p", box, say("unscored"), "soft");
  const limits = [say("reads", number(about.max_length))];
  if (about.labels.length) limits.push(about.labels.length > 12 ? say("count", about.labels.length) : about.labels.join(", "));
  element("p", box, limits.join("; "), "soft");
}

// --- answers -----------------------------------------------------------------------------------

async function predict(event) {
  event.preventDefault();
  const texts = about.reads.map(name => at("in-" + name).value);
  endSeries();
  at("predict").disabled = true;
  tell(at("status"), say("working"));
  try {
    const inputs = about.reads.map((name, place) => ({ name, shape: [1], datatype: "BYTES", data: [texts[place]] }));
    const parameters = about.kind === "question-answering" ? { top_k: 5 } : undefined;
    const path = `/v2/models/${encodeURIComponent(about.name)}/infer`;
    const found = await (await post(path, { inputs, parameters })).json();
    answer = JSON.parse(found.outputs[0].data[0]);
    asked = texts;
    tell(at("status"), "");
    showAnswer();
    showCorrection();
    closeWhy();
  } catch (fault) {
    tell(at("status"), fault.message, true);
  }
  at("predict").disabled = false;
}
function showAnswer() {
  const box = at("result");
  clear(box);
  if ("entities" in answer) showEntities(box);
  else if ("masks" in answer) showMasks(box);
  else if ("no_answer" in answer) showSpans(box);
  else if ("value" in answer) element("b", element("p", box, undefined, "headline"), number(answer.value));
  else showLabels(box);
  if (answer.truncated) element("p", box, say("truncated", number(about.max_length)), "fault");
}
function showLabels(box) {
  const given = new Set("labels" in answer ? answer.labels : [answer.label]);
  const head = element("p", box, undefined, "headline");
  element("b", head, [...given].join(", ") || say("noLabel")).dir = "auto";
  if ("score" in answer) head.append(" " + percent(answer.score));
  const all = Object.entries(answer.scores), most = 8;
  labelList(box, all.slice(0, most), given);
  if (all.length > most) {
    const more = element("details", box);
    element("summary", more, say("all", all.length));
    labelList(more, all.slice(most), given);
  }
}
function labelList(box, scores, given) {
  const list = element("ul", box, undefined, "labels");
  for (const [label, p] of scores) {
    const row = element("li", list, undefined, given.has(label) ? "given" : "");
    element("span", row, label).dir = "auto";
    showShare(row, p);
  }
}
function showShare(row, p) {
  const bar = element("span", row, undefined, "bar");
  bar.setAttribute("aria-hidden", "true");
  bar.style.setProperty("--share", 100 * p + "%");
  element("span", row, percent(p), "number");
}
function marked(box, text, spans) {
  const letters = points(text), shown = element("div", box, undefined, "shown");
  shown.dir = "auto";
  let done = 0;
  for (const { start, end, label } of [...spans].sort((a, b) => a.start - b.start)) {
    shown.append(letters.slice(done, start).join(""));
    const mark = element("mark", shown, letters.slice(start, end).join(""), label === undefined ? "span" : "");
    if (label !== undefined) {
      mark.style.setProperty("--hue", (Math.max(0, about.labels.indexOf(label)) * 137.5) % 360);
      element("small", mark, " " + label);
    }
    done = end;
  }
  shown.append(letters.slice(done).join(""));
  return shown;
}
function showEntities(box) {
  if (!answer.entities.length) element("p", box, say("none"), "headline");
  marked(box, answer.text, answer.entities);
  if (!answer.entities.length) return;
  const body = element("tbody", element("table", box));
  for (const one of answer.entities) {
    const row = element("tr", body);
    element("th", row, one.text).scope = "row";
    element("td", row, one.label);
    element("td", row, percent(one.score));
  }
}
function showSpans(box) {
  const head = element("p", box, undefined, "headline");
  element("b", head, answer.no_answer ? say("noAnswer") : answer.answer).dir = "auto";
  head.append(` ${say("confidence")} ${percent(answer.score)}`);
  let shown = marked(box, asked[1], answer.no_answer ? [] : [answer]);
  const others = (answer.answers || []).slice(answer.no_answer ? 0 : 1).filter(one => one.answer);
  if (!others.length) return;
  element("h2", box, say("others"));
  const list = element("ol", box, undefined, "others");
  for (const one of others) {
    const row = element("li", list), button = element("button", row, one.answer);
    button.type = "button";
    row.append(" " + percent(one.score));
    button.addEventListener("click", () => {
      const next = marked(box, asked[1], [one]);
      shown.replaceWith(next);
      shown = next;
    });
  }
}

{% include "try_masks.js" %}
{% include "try_why.js" %}
{% include "try_label.js" %}

// --- corrections -------------------------------------------------------------------------------

function showCorrection() {
  const form = at("gold");
  at("correct").hidden = about.mask !== null;
  if (about.mask !== null) return;
  at("correct").querySelector("details").open = false;
  tell(at("saved"), "");
  clear(form);
  form.lacks = null;
  if ("entities" in answer) correctEntities(form);
  else if ("no_answer" in answer) correctSpan(form);
  else if ("value" in answer) {
    const box = element("input", element("label", form, say("value") + " "));
    Object.assign(box, { type: "number", step: "any", required: true, value: answer.value });
    form.gold = () => Number(box.value);
  } else if (about.multi_label) correctLabels(form);
  else {
    const select = element("select", element("label", form, say("label") + " "));
    about.labels.forEach(name => element("option", select, name));
    const other = Object.keys(answer.scores).find(name => name !== answer.label);
    select.value = other || answer.label;
    form.gold = () => select.value;
  }
  element("button", element("p", form, undefined, "row"), say("save"));
}
function correctLabels(form) {
  const set = element("fieldset", form, undefined, "checks");
  element("legend", set, say("labels"));
  const boxes = about.labels.map(name => {
    const label = element("label", set), box = element("input", label);
    box.type = "checkbox";
    box.checked = answer.labels.includes(name);
    label.append(" " + name);
    return [name, box];
  });
  form.gold = () => boxes.filter(([, box]) => box.checked).map(([name]) => name);
}
function selection(box) {
  const text = box.value.slice(box.selectionStart, box.selectionEnd), left = text.length - text.trimStart().length;
  const start = box.selectionStart + left;
  return { text: text.trim(), start: upTo(box.value, start), end: upTo(box.value, start + text.trim().length) };
}
function correctEntities(form) {
  entities = answer.entities.map(({ start, end, label }) => ({ start, end, label }));
  element("p", form, say("selectEntity"), "soft");
  const row = element("p", form, undefined, "row");
  const type = element("select", element("label", row, say("type") + " "));
  about.labels.forEach(name => element("option", type, name));
  const add = element("button", row, say("add")), chips = element("ul", form, undefined, "chips");
  add.type = "button";
  const letters = points(asked[0]);
  const show = () => {
    clear(chips);
    entities.forEach(one => {
      const text = letters.slice(one.start, one.end).join("");
      const button = element("button", element("li", chips), `${text} (${one.label}) ×`);
      button.type = "button";
      button.setAttribute("aria-label", `${say("remove")}: ${text}, ${one.label}`);
      button.addEventListener("click", () => { entities = entities.filter(other => other !== one); show(); });
    });
  };
  add.addEventListener("click", () => {
    const { text, start, end } = selection(at("in-text"));
    if (!text || at("in-text").value !== asked[0]) { tell(at("saved"), say("nothing"), true); return; }
    tell(at("saved"), "");
    entities = entities.filter(one => one.end <= start || one.start >= end);
    entities.push({ start, end, label: type.value });
    entities.sort((a, b) => a.start - b.start);
    show();
  });
  show();
  form.gold = () => entities;
}
function correctSpan(form) {
  element("p", form, say("selectAnswer"), "soft");
  const row = element("p", form, undefined, "row"), use = element("button", row, say("useSelection"));
  use.type = "button";
  const label = element("label", row), none = element("input", label);
  none.type = "checkbox";
  label.append(" " + say("has"));
  const shown = element("p", form);
  let chosen = null;
  use.addEventListener("click", () => {
    const found = selection(at("in-context"));
    if (!found.text || at("in-context").value !== asked[1]) { tell(at("saved"), say("nothing"), true); return; }
    tell(at("saved"), "");
    chosen = found;
    none.checked = false;
    shown.textContent = `${say("right")}: ${found.text}`;
  });
  form.gold = () => none.checked ? null : chosen && { text: chosen.text, start: chosen.start };
  form.lacks = () => !none.checked && !chosen;
}
async function correct(event) {
  event.preventDefault();
  const form = at("gold");
  if (form.lacks && form.lacks()) { tell(at("saved"), say("nothing"), true); return; }
  await keep(form.gold());
}

// --- files -------------------------------------------------------------------------------------

async function send(file) {
  if (!file) return;
  const type = file.name.split(".").pop().toLowerCase(), form = at("format").value, done = at("done");
  tell(done, say("reading"));
  try {
    const response = await ask(below(`/file?type=${encodeURIComponent(type)}&out=${form}`), { method: "POST", body: file });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = file.name.replace(/\.[^.]*$/, "") + "-predictions." + form;
    link.textContent = say("download") + " " + link.download;
    tell(done, say("rows", number(Number(response.headers.get("x-rows")))) + " ");
    done.append(link);
    if (about.kind !== "question-answering") {
      const button = element("button", element("p", done), say("labelThese"));
      button.type = "button";
      button.addEventListener("click", () => startSeries(file, type));
    }
    const notes = decodeURIComponent(response.headers.get("x-notes") || "").split("\n").filter(Boolean);
    if (notes.length) {
      element("small", done, " " + say("notes") + ": " + notes.join("; "));
    }
  } catch (fault) { tell(done, fault.message, true); }
  at("file").value = "";
}

// --- the page ----------------------------------------------------------------------------------

function speak() {
  document.documentElement.lang = language;
  document.querySelectorAll("[data-say]").forEach(node => { node.textContent = say(node.dataset.say); });
  at("language").textContent = language === "en" ? "한국어" : "English";
  at("paths").href = "/docs?language=" + language;
  at("language").lang = language === "en" ? "ko" : "en";
  clear(at("done"));
  if (!about) return;
  showInputs();
  showFacts();
  if (series) showRow();
  else if (answer) { showAnswer(); showCorrection(); closeWhy(); }
}
at("language").addEventListener("click", () => {
  language = language === "en" ? "ko" : "en";
  try { localStorage.setItem("language", language); } catch { /* it is asked for again */ }
  speak();
});
at("model").addEventListener("change", open);
at("ask").addEventListener("submit", predict);
at("gold").addEventListener("submit", correct);
at("why").querySelector("details").addEventListener("toggle", explain);
at("key").addEventListener("submit", event => {
  event.preventDefault();
  key = at("secret").value;
  at("key").hidden = true;
  open();
});
at("file").addEventListener("change", () => send(at("file").files[0]));
at("drop").addEventListener("dragover", event => { event.preventDefault(); at("drop").classList.add("over"); });
at("drop").addEventListener("dragleave", () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", event => {
  event.preventDefault();
  at("drop").classList.remove("over");
  send(event.dataTransfer.files[0]);
});
document.addEventListener("paste", event => {
  if (event.clipboardData.files.length) { event.preventDefault(); send(event.clipboardData.files[0]); }
});
speak();
open();
