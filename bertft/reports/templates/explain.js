"use strict";
const WORDS = {
  layer: "layer", head: "head", show: "show", tokens: "tokens",
  rollout: "all (rollout)", mean: "mean of heads", to: "what a token attends to", from: "what attends to it",
  attends: (token, list) => `“${token}” attends to ${list}`,
  attended: (token, list) => `“${token}” is attended to by ${list}`,
};
{% include "attention.js" %}

document.querySelectorAll("article").forEach(article => {
  const data = JSON.parse(article.querySelector("script").textContent);
  const say = (name, ...values) => typeof WORDS[name] === "function" ? WORDS[name](...values) : WORDS[name];
  showAttention(article.querySelector(".attention"), data, say);
});
