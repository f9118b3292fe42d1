// --- labelling a file, the least certain answers first -------------------------------------------

let series = null;  // its rows in order, the place in them, what was kept so far

async function startSeries(file, type) {
  try {
    tell(at("status"), say("working"));
    const content = await (await ask(below(`/file?type=${encodeURIComponent(type)}&out=jsonl`), { method: "POST", body: file })).text();
    const all = content.split("\n").filter(Boolean).map(line => JSON.parse(line)), rows = all.filter(one => !("error" in one));
    tell(at("status"), rows.length < all.length ? say("unread", number(all.length - rows.length)) : "");
    if (!rows.length) return;
    series = { rows: rows.sort((a, b) => certainty(a) - certainty(b)), place: 0, kept: [], file: "" };
    showRow();
  } catch (fault) { tell(at("status"), fault.message, true); }
}
/** The probability of an answer; of several labels or entities that of the one in most doubt. */
function certainty(found) {
  if ("labels" in found) return Math.min(...Object.values(found.scores).map(p => Math.max(p, 1 - p)));
  if ("entities" in found) return Math.min(1, ...found.entities.map(one => one.score));
  return "score" in found ? found.score : 1;
}
function showRow() {
  const { rows, place } = series;
  clear(at("result"), at("gold"));
  tell(at("saved"), "");
  at("series").hidden = false;
  at("correct").hidden = at("why").hidden = true;
  showChoices();
  if (place === rows.length) return;
  answer = rows[place];
  asked = about.reads.map(name => answer[name]);
  about.reads.forEach((name, which) => { at("in-" + name).value = asked[which]; });
  showAnswer();
  showCorrection();
  closeWhy();
  at("correct").querySelector("details").open = !offersLabels();
  at("series").scrollIntoView({ block: "nearest" });
}
const offersLabels = () => "label" in series.rows[0] && about.labels.length <= 9;
function showChoices() {
  const { rows, place, kept, file } = series, box = at("choices");
  clear(box);
  at("skip").hidden = place === rows.length;
  at("undo").disabled = !kept.length;
  const said = place < rows.length ? say("place", number(place + 1), number(rows.length)) : say("over", number(kept.length));
  tell(at("place"), said + (kept.length ? " " + say("saved", file) : ""));
  if (place === rows.length) { at("end").focus(); return; }
  const found = rows[place], choices = offersLabels() ? about.labels : [null];
  choices.forEach((label, which) => {
    const button = element("button", box, label === null ? say("isRight") : `${which + 1} ${label}`);
    button.type = "button";
    button.dir = "auto";
    if (label === null || label === found.label) button.className = "main";
    button.addEventListener("click", () => keep(label === null ? given(found) : label));
  });
  box.querySelector(".main").focus();
}
function given(found) {
  if ("entities" in found) return found.entities.map(({ start, end, label }) => ({ start, end, label }));
  return "value" in found ? found.value : found.labels || found.label;
}
async function keep(gold) {
  try {
    const { file } = await (await post(below("/corrections"), { texts: asked, gold })).json();
    if (!series) { tell(at("saved"), say("saved", file)); return; }
    series.kept.push({ place: series.place, texts: asked, gold });
    series.file = file;
    series.place += 1;
    showRow();
  } catch (fault) { tell(series ? at("status") : at("saved"), fault.message, true); }
}
function skip() {
  series.place += 1;
  showRow();
}
async function undo() {
  const last = series.kept[series.kept.length - 1];
  try {
    await ask(below("/corrections"), { method: "DELETE", headers: { "content-type": "application/json" }, body: JSON.stringify({ texts: last.texts, gold: last.gold }) });
    series.kept.pop();
    series.place = last.place;
    showRow();
  } catch (fault) { tell(at("status"), fault.message, true); }
}
function endSeries() {
  series = null;
  at("series").hidden = true;
  clear(at("choices"));
}
at("skip").addEventListener("click", skip);
at("undo").addEventListener("click", undo);
at("end").addEventListener("click", endSeries);
at("series").addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const buttons = offersLabels() ? at("choices").querySelectorAll("button") : [];
  const button = { s: at("skip"), u: at("undo") }[event.key] || buttons[Number(event.key) - 1];
  if (button && !button.hidden && !button.disabled) { event.preventDefault(); button.click(); }
});
