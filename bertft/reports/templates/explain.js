"use strict";
function unpack(text) {
  return Uint8Array.from(atob(text), c => c.charCodeAt(0));
}
function element(name, parent, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}
function choice(parent, name, options) {
  const label = element("label", parent, name + " ");
  const select = element("select", label);
  options.forEach(([value, text]) => { element("option", select, text).value = value; });
  return select;
}
function numbers(count, word) {
  return Array.from({ length: count }, (_, i) => [String(i), word + " " + (i + 1)]);
}
function build(article) {
  const data = JSON.parse(article.querySelector("script").textContent);
  const box = article.querySelector(".attention");
  const length = data.tokens.length, square = length * length;
  const attention = unpack(data.attention), rollout = unpack(data.rollout);
  const controls = element("div", box);
  controls.className = "controls";
  const layer = choice(controls, "layer", [["rollout", "all (rollout)"], ...numbers(data.layers, "layer")]);
  const head = choice(controls, "head", [["mean", "mean of heads"], ...numbers(data.heads, "head")]);
  const side = choice(controls, "show", [["to", "what a token attends to"], ["from", "what attends to it"]]);
  const row = element("div", box);
  row.className = "tokens";
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "tokens");
  const status = element("p", box);
  status.setAttribute("aria-live", "polite");
  const buttons = data.tokens.map(text => element("button", row, text));
  let chosen = 0;
  function quoted(token) {
    return "“" + data.tokens[token] + "”";
  }
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
    buttons.forEach((button, i) => {
      button.style.setProperty("--strength", (0.6 * Math.sqrt(values[i] / most)).toFixed(3));
      button.title = (100 * values[i]).toFixed(1) + " %";
      button.setAttribute("aria-pressed", String(i === token));
    });
    const best = values.map((value, i) => [value, i]).sort((a, b) => b[0] - a[0]).slice(0, 5);
    status.textContent = quoted(token) + (side.value === "to" ? " attends to " : " is attended to by ")
      + best.map(([value, i]) => quoted(i) + " " + (100 * value).toFixed(1) + " %").join(", ");
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
document.querySelectorAll("article").forEach(build);
