// The episodes of a long recording, of one rhythm or of all: a list, and buttons to the previous and the next.
import { $, announce, element } from "./dom.js";
import { colourOf, duration, title } from "./format.js";
import { classes } from "./model.js";
import { on, recordings } from "./recordings.js";
import { goTo, mark, shownTime, view } from "./viewer.js";

let listed = [], chosen = -1;

const isLong = () => recordings.current?.answer?.kind === "timeline";

/** Go to an episode of the list. */
function open(i) {
  chosen = i;
  for (const [j, row] of [...$("episode-list").children].entries()) row.firstChild.setAttribute("aria-current", String(j === i));
  $("episode-list").children[i].scrollIntoView({ block: "nearest" });
  $("episode-where").textContent = `${i + 1} of ${listed.length}`;
  const { label, start, end } = listed[i];
  goTo(start);
  announce(`Episode ${i + 1} of ${listed.length}: ${title(label)}, ${shownTime(start)}, ${duration(end - start)}`);
}

/** Go to the next episode (1) or the previous one (-1); from where the strip is, if none is open. */
export function step(by) {
  if (!isLong() || !listed.length) return;
  const middle = (view.from + view.to) / 2;
  const beside = by > 0 ? listed.findIndex(one => one.start > middle) : listed.findLastIndex(one => one.start < middle);
  const last = by > 0 ? listed.length - 1 : 0;
  const next = chosen >= 0 ? chosen + by : beside < 0 ? last : beside;
  if (next >= 0 && next < listed.length) open(next);
}

function list() {
  const { answer } = recordings.current, wanted = $("episode-rhythm").value;
  listed = answer.episodes.filter(one => !wanted || one.label === wanted);
  chosen = -1;
  $("episode-where").textContent = listed.length ? `${listed.length} in all` : "None";
  $("episode-list").replaceChildren(...listed.map((one, i) => {
    const swatch = element("i", { class: "swatch" });
    swatch.style.background = `var(${colourOf(one.label)})`;
    const button = element("button", { type: "button", class: "plain episode", "aria-current": "false" }, swatch,
      element("span", {}, `${shownTime(one.start)} to ${shownTime(one.end)}`), element("span", { class: "soft" }, duration(one.end - one.start)),
      element("span", { class: "soft", title: "Mean heart rate, beats/min" }, one.heart_rate === null ? "" : `${one.heart_rate.toFixed(0)}/min`),
      element("span", { class: "soft" }, `p\u00a0${one.probability.toFixed(2)}`));
    if (!wanted) button.title = title(one.label);
    button.addEventListener("click", () => open(i));
    return element("li", {}, button);
  }));
}

function update() {
  $("episodes").hidden = !isLong();
  if (!isLong()) return;
  const { join, shortest, other_leads: others } = recordings.current.answer;
  $("episode-rules").textContent = !recordings.current.answer.classes.includes(classes.fibrillation) ? "" : `Episodes of ${classes.names[classes.fibrillation] ?? classes.fibrillation} less than ${join} s apart are one; ` +
    `those of less than ${shortest} s are left out. The share is computed before.${others.length ? ` Another lead was read in ${others.length === 1 ? "one place" : `${others.length} places`} where this one is unreadable.` : ""}`;
  const counts = Map.groupBy(recordings.current.answer.episodes, one => one.label), rhythms = [...recordings.current.answer.classes, "~"];
  const choices = [...new Set(rhythms)].map(label => element("option", { value: label }, `${title(label)}: ${counts.get(label)?.length ?? 0}`));
  $("episode-rhythm").replaceChildren(...choices, element("option", { value: "" }, `All: ${recordings.current.answer.episodes.length}`));
  $("episode-rhythm").value = recordings.current.answer.classes.includes(classes.fibrillation) ? classes.fibrillation : "";
  list();
}

export function start() {
  mark(() => isLong() ? recordings.current.answer.episodes.map(({ label, start, end }) => ({ start, end, colour: colourOf(label), band: "top" })) : []);
  on("shown", update);
  $("episode-rhythm").addEventListener("change", list);
  $("episode-next").addEventListener("click", () => step(1));
  $("episode-previous").addEventListener("click", () => step(-1));
}
