// The hours of a long recording: rates, atrial fibrillation and what is unreadable in each.
import { $, element } from "./dom.js";
import { clock, percent, shortName } from "./format.js";
import { classes } from "./model.js";
import { on, recordings } from "./recordings.js";
import { show, shownMinute, view } from "./viewer.js";

const HOUR = 3600, DAY = 86_400, UNREADABLE = "~";

/** Seconds of each label between two times. */
function secondsOf({ labels, stride, seconds }, from, to) {
  const found = new Map();
  for (let i = Math.floor(from / stride); i < labels.length && i * stride < to; i++) {
    const own = Math.min((i + 1) * stride, seconds, to) - Math.max(i * stride, from);
    found.set(labels[i], (found.get(labels[i]) ?? 0) + own);
  }
  return found;
}

/** The beginning of an hour; of more than a day, also from the beginning, as times of day come again. */
const named = ({ seconds }, start) => seconds > DAY && view.began !== null ? `${shownMinute(start)} (${clock(start)})` : shownMinute(start);

function row(answer, { start, ...rates }) {
  const end = Math.min(start + HOUR, answer.seconds), found = secondsOf(answer, start, end);
  const unreadable = found.get(UNREADABLE) ?? 0, readable = end - start - unreadable;
  const cells = [rates.mean, rates.lowest, rates.highest].map(rate => rate === null ? "–" : rate.toFixed(0));
  if (answer.classes.includes(classes.fibrillation)) cells.push(percent(readable > 0 ? (found.get(classes.fibrillation) ?? 0) / readable : null));
  const button = element("button", { type: "button", class: "plain" }, named(answer, start));
  button.addEventListener("click", () => show(start, end));
  return element("tr", {}, element("th", { scope: "row" }, button),
    ...[...cells, percent(unreadable / (end - start))].map(text => element("td", { class: "number" }, text)));
}

function update() {
  const answer = recordings.current?.answer, hours = answer?.rates?.hours ?? [];
  $("hours").hidden = hours.length < 2;
  if ($("hours").hidden) return;
  const hasFibrillation = answer.classes.includes(classes.fibrillation);
  const headings = ["From", "Mean", "Lowest", "Highest", ...hasFibrillation ? [shortName(classes.fibrillation)] : [], "Unreadable"];
  $("hours-headings").replaceChildren(...headings.map((text, i) => element("th", { scope: "col", class: i ? "number" : "" }, text)));
  $("hours-rows").replaceChildren(...hours.map(hour => row(answer, hour)));
}

export const start = () => on("shown", update);
