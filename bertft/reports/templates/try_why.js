// --- what a prediction rests on ----------------------------------------------------------------

let explained = null;

function closeWhy() {
  explained = null;
  clear(at("reasons"));
  tell(at("whyStatus"), "");
  at("why").hidden = !about.explains;
  at("why").querySelector("details").open = false;
}
async function explain() {
  if (!at("why").querySelector("details").open || explained) return;
  const texts = explained = asked;
  tell(at("whyStatus"), say("explaining"));
  try {
    const found = await (await post(below("/explain"), { texts })).json();
    if (explained !== texts) return;  // another text was asked meanwhile
    tell(at("whyStatus"), "");
    showReasons(found);
  } catch (fault) {
    if (explained !== texts) return;
    explained = null;
    tell(at("whyStatus"), fault.message, true);
  }
}
function showReasons(found) {
  const box = at("reasons");
  if (found.windows > 1) element("p", box, say("windows", found.windows), "soft");
  if (!found.targets.length) element("p", box, say("noTarget"), "soft");
  for (const target of found.targets) {
    const { words, missed } = target;
    element("h3", box, say("forAgainst", say("target", target))).dir = "auto";
    const most = Math.max(...words.map(one => Math.abs(one.attribution)), 1e-9);
    for (const [part, text] of Object.entries(found.parts)) showWords(box, text, words.filter(one => one.part === part), most);
    showNumbers(box, found.parts, words);
    if (missed !== null) element("p", box, say("missed", percent(missed)), "soft");
  }
  element("h3", box, say("attention"));
  if (found.attention) showAttention(box, found.attention, say);
  else element("p", box, say("tooLong"), "soft");
}
function showWords(box, text, words, most) {
  const letters = points(text), shown = element("div", box, undefined, "shown");
  shown.dir = "auto";
  let done = 0;
  for (const { start, end, attribution } of words) {
    shown.append(letters.slice(done, start).join(""));
    const mark = element("mark", shown, letters.slice(Math.max(start, done), end).join(""), attribution < 0 ? "against" : "for");
    mark.style.setProperty("--strength", (0.6 * Math.abs(attribution) / most).toFixed(3));
    mark.title = signed(attribution);
    done = Math.max(done, end);
  }
  shown.append(letters.slice(done).join(""));
}
function showNumbers(box, parts, words) {
  const more = element("details", box);
  element("summary", more, say("numbers"));
  const body = element("tbody", element("table", more));
  for (const one of [...words].sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution))) {
    const row = element("tr", body);
    element("th", row, points(parts[one.part]).slice(one.start, one.end).join("")).scope = "row";
    element("td", row, signed(one.attribution));
  }
}
const signed = value => (value < 0 ? "" : "+") + value.toFixed(4);
