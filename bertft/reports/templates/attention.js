function element(name, parent, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  if (parent) parent.append(made);
  return made;
}
function unpack(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}
function choice(parent, name, options) {
  const select = element("select", element("label", parent, name + " "));
  options.forEach(([value, text]) => { element("option", select, text).value = value; });
  return select;
}
function numbers(count, word) {
  return Array.from({ length: count }, (_, i) => [String(i), word + " " + (i + 1)]);
}
// Attention by layer and head, in a box; words(name, ...values) says what things are called.
function showAttention(box, data, words) {
  const length = data.tokens.length, square = length * length;
  const attention = unpack(data.attention), rollout = unpack(data.rollout);
  const controls = element("div", box, undefined, "controls");
  const layer = choice(controls, words("layer"), [["rollout", words("rollout")], ...numbers(data.layers, words("layer"))]);
  const head = choice(controls, words("head"), [["mean", words("mean")], ...numbers(data.heads, words("head"))]);
  const side = choice(controls, words("show"), [["to", words("to")], ["from", words("from")]]);
  const row = element("div", box, undefined, "tokens");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", words("tokens"));
  const status = element("p", box);
  status.setAttribute("aria-live", "polite");
  const buttons = data.tokens.map(text => element("button", row, text));
  let chosen = 0;
  function weight(a, b) {
    if (layer.value === "rollout") return rollout[a * length + b] / 255;
    const from = head.value === "mean" ? 0 : Number(head.value);
    const to = head.value === "mean" ? data.heads : from + 1;
    let sum = 0;
    for (let h = from; h < to; h++)
      sum += attention[(Number(layer.value) * data.heads + h) * square + a * length + b] / 255;
    return sum / (to - from);
  }
  // The root, so that weak ones are seen beside [CLS] and [SEP], which often take most.
  function show(token) {
    head.disabled = layer.value === "rollout";
    const values = buttons.map((_, i) => side.value === "to" ? weight(token, i) : weight(i, token));
    const most = Math.max(...values, 1e-9);
    const share = i => (100 * values[i]).toFixed(1) + "\u00a0%";
    buttons.forEach((button, i) => {
      button.style.setProperty("--strength", (0.6 * Math.sqrt(values[i] / most)).toFixed(3));
      button.title = share(i);
      button.setAttribute("aria-pressed", String(i === token));
    });
    const best = buttons.map((_, i) => i).sort((a, b) => values[b] - values[a]).slice(0, 5);
    const list = best.map(i => `“${data.tokens[i]}” ${share(i)}`).join(", ");
    status.textContent = words(side.value === "to" ? "attends" : "attended", data.tokens[token], list);
  }
  buttons.forEach((button, i) => {
    button.type = "button";
    button.addEventListener("mouseenter", () => show(i));
    button.addEventListener("mouseleave", () => show(chosen));
    button.addEventListener("focus", () => { chosen = i; show(i); });
    button.addEventListener("click", () => { chosen = i; show(i); });
  });
  [layer, head, side].forEach(select => select.addEventListener("change", () => show(chosen)));
  if (length) show(0);
}
