// --- masks -------------------------------------------------------------------------------------

function offerMask(box) {
  const row = element("p", at("inputs"), undefined, "row"), button = element("button", row, say("insert"));
  element("small", row, say("fillHelp"));
  button.type = "button";
  button.addEventListener("click", () => {
    box.setRangeText("[MASK]", box.selectionStart, box.selectionEnd, "end");
    box.focus();
  });
}
// The text with the most probable token in the place of each mask; each token of a list can be put there.
function showMasks(box) {
  const shown = element("div", box, undefined, "shown");
  shown.dir = "auto";
  const parts = asked[0].replaceAll(about.mask, "[MASK]").split("[MASK]");
  const marks = answer.masks.map((tokens, place) => {
    shown.append(parts[place]);
    const mark = element("mark", shown, undefined, "span");
    put(mark, tokens[0]);
    return mark;
  });
  shown.append(parts.slice(marks.length).join("[MASK]"));
  answer.masks.forEach((tokens, place) => {
    if (marks.length > 1) element("h3", box, `[MASK] ${place + 1}`);
    const list = element("ul", box, undefined, "labels");
    const rows = tokens.map(one => {
      const row = element("li", list), button = element("button", row, one.token || "␣");
      button.type = "button";
      button.dir = "auto";
      button.title = say("put");
      showShare(row, one.probability);
      button.addEventListener("click", () => { put(marks[place], one); choose(row); });
      return row;
    });
    const choose = row => rows.forEach(one => {
      one.classList.toggle("given", one === row);
      one.firstChild.setAttribute("aria-pressed", String(one === row));
    });
    choose(rows[0]);
  });
}
function put(mark, { token, probability }) {
  mark.textContent = token;
  element("small", mark, " " + percent(probability));
}
