// The list of recordings: sorted by a column, with the state of each, and ways to the previous and the next.
import { $, confirmed, element } from "./dom.js";
import { colourOf, percent, shortName, title } from "./format.js";
import { wholeLabel, labelsOf } from "./labels.js";
import { classes } from "./model.js";
import { cancelAll, isBusy } from "./queue.js";
import { clear, isShown, on, recordings, select } from "./recordings.js";
import { toldOf } from "./review.js";
import { dropAll } from "./signals.js";

const rows = new Map();  // recording -> its row
let sorting = { by: "", direction: 1 }, isLate = false;

/** What the list says of a recording, and what it is sorted by. */
const COLUMNS = {
  name: item => item.path,
  label: item => item.review !== null ? toldOf(item).predicted : item.answer?.label ?? mostOf(item.answer),
  af: item => item.answer ? (item.answer.probabilities ?? item.answer.burden)[classes.fibrillation] : toldProbability(toldOf(item)),
  quality: item => item.answer ? item.answer.quality ?? (item.answer.unreadable === undefined ? undefined : 1 - item.answer.unreadable) : undefined,
};

/** The probability of atrial fibrillation, of a recording of a review, if it is known. */
function toldProbability({ label, predicted, probability, label_probability: ofLabel }) {
  return { [label]: ofLabel, [predicted]: probability }[classes.fibrillation];
}

/** The rhythm that takes most of a long recording. */
function mostOf(answer) {
  return answer && Object.keys(answer.burden).reduce((a, b) => answer.burden[b] > answer.burden[a] ? b : a);
}

const natural = new Intl.Collator("en", { numeric: true });

/** All recordings in the order of the list; those without a value come last. */
export function ordered() {
  const value = COLUMNS[sorting.by];
  if (!value) return recordings.all;
  return recordings.all.map(item => [value(item) ?? null, item]).sort(([a], [b]) =>
    a === null || b === null ? (a === null) - (b === null) : sorting.direction * (typeof a === "string" ? natural.compare(a, b) : a - b)).map(([, item]) => item);
}

/** Show the next recording (1) or the previous one (-1) of the list. */
export function step(by) {
  const all = ordered(), next = all[all.indexOf(recordings.current) + by];
  if (next) select(next);
}

const STATES = { waiting: () => "Waiting", cancelled: () => "Cancelled", running: item => item.of ? `${item.done} of ${item.of}` : "Running" };

function fill(item) {
  const row = rows.get(item), isNow = isShown(item), button = row.querySelector("button"), own = wholeLabel(item), count = labelsOf(item).length;
  row.classList.toggle("current", isNow);
  button.setAttribute("aria-current", String(isNow));
  button.tabIndex = isNow ? 0 : -1;
  const rest = [...row.children].slice(1);
  for (const cell of rest) cell.replaceChildren();
  const [state, label, af, quality] = rest;
  state.className = `state ${item.state}`;
  const mine = own ?? (count ? `${count}` : "");
  if (mine) {
    const tag = element("span", { class: "tag", title: own ? `You labelled it ${title(own)}` : `You labelled ${count} stretches` }, mine);
    if (own) tag.style.setProperty("--class", `var(${colourOf(own)})`);
    state.append(tag);
  }
  if (item.state === "failed") {
    label.colSpan = 3;
    label.append(element("span", { class: "failure", title: item.error }, item.error));
  } else if (STATES[item.state] && !item.answer) {
    label.colSpan = 3;
    label.append(element("span", { class: "soft" }, STATES[item.state](item)));
    if (item.state === "running" && item.of) label.append(element("progress", { max: item.of, value: item.done, "aria-label": `Windows of ${item.name}` }));
  } else {
    label.colSpan = 1;
    const name = COLUMNS.label(item), swatch = element("i", { class: "swatch" });
    if (name) {
      swatch.style.background = `var(${colourOf(name)})`;
      label.append(swatch, element("span", { title: title(name) }, shortName(name)));
    }
    if (COLUMNS.af(item) !== undefined) {
      af.append(percent(COLUMNS.af(item), 0));
      af.title = item.answer?.burden ? "Share of the readable time" : "Probability";
    }
    quality.append(COLUMNS.quality(item)?.toFixed(2) ?? "");
  }
  for (const cell of [af, quality]) cell.hidden = label.colSpan > 1;
}

function made(item) {
  const button = element("button", { type: "button", class: "plain", title: item.path }, item.record);
  button.addEventListener("click", () => { select(item); closeOnPhone(); });
  const row = element("tr", {}, element("th", { scope: "row" }, button), ...["", "", "number", "number"].map(kind => element("td", { class: kind })));
  rows.set(item, row);
  return row;
}

/** Many may change at once; the list is put in order once, before it is drawn. */
function later() {
  if (isLate) return;
  isLate = true;
  requestAnimationFrame(() => { isLate = false; arrange(); });
}

function arrange() {
  const all = ordered(), body = $("list");
  if (all.some((item, i) => body.children[i] !== rows.get(item)) || body.childElementCount !== all.length) body.replaceChildren(...all.map(item => rows.get(item)));
  const busy = all.filter(isBusy).length, failed = all.filter(item => item.state === "failed").length, at = all.indexOf(recordings.current);
  const isReview = all.some(item => item.review !== null), labelled = all.filter(item => labelsOf(item).length).length;
  $("recordings").hidden = all.length < 2;
  $("work").classList.toggle("several", all.length > 1);
  $("list-summary").textContent = isReview ? `${labelled} of ${all.length} labelled`
    : `${all.length - busy} of ${all.length} done${failed ? `, ${failed} failed` : ""}`;
  $("list-where").textContent = at < 0 ? "" : `${at + 1} of ${all.length}`;
  $("list-name").textContent = recordings.current?.name ?? "";
  $("previous").disabled = at <= 0;
  $("next").disabled = at < 0 || at === all.length - 1;
  $("cancel-all").hidden = !busy;
  $("all-progress").hidden = !busy;
  Object.assign($("all-progress"), { max: all.length, value: all.length - busy });
  $("export-all").hidden = !all.some(item => item.answer);
  for (const head of document.querySelectorAll("#recordings th[data-by]")) {
    head.setAttribute("aria-sort", head.dataset.by !== sorting.by ? "none" : sorting.direction > 0 ? "ascending" : "descending");
  }
}

function sortBy(by) {
  const first = by === "af" || by === "quality" ? -1 : 1;
  sorting = by === sorting.by ? { by: sorting.direction === first ? by : "", direction: -sorting.direction } : { by, direction: first };
  arrange();
}

function closeOnPhone() {
  $("list-toggle").setAttribute("aria-expanded", "false");
  $("list-body").classList.remove("open");
}

export function start() {
  on("added", items => { for (const item of items) { made(item); fill(item); } later(); });
  on("changed", item => { if (rows.has(item)) { fill(item); later(); } });
  let before = null;
  on("selected", item => {
    for (const one of [before, item]) if (one && rows.has(one)) fill(one);
    before = item;
    arrange();
    if (item && $("recordings").contains(document.activeElement) && document.activeElement.closest("tbody")) rows.get(item).querySelector("button").focus();
    if (item) rows.get(item)?.scrollIntoView({ block: "nearest" });
  });
  on("removed", () => { rows.clear(); dropAll(); arrange(); });
  for (const what of ["labelled", "shown"]) on(what, () => { if (recordings.current && rows.has(recordings.current)) fill(recordings.current); later(); });
  on("labelled", () => { for (const item of rows.keys()) if (item.review !== null || labelsOf(item).length || rows.get(item).querySelector(".tag")) fill(item); });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("cancel-all").addEventListener("click", cancelAll);
  $("clear-list").addEventListener("click", async () => {
    if (recordings.all.some(isBusy) && !await confirmed("Some recordings are not done. Remove all from the list?", "Remove")) return;
    cancelAll();
    clear();
  });
  $("list-toggle").addEventListener("click", () => {
    const isOpen = $("list-toggle").getAttribute("aria-expanded") !== "true";
    $("list-toggle").setAttribute("aria-expanded", String(isOpen));
    $("list-body").classList.toggle("open", isOpen);
  });
  for (const head of document.querySelectorAll("#recordings th[data-by] button")) head.addEventListener("click", () => sortBy(head.parentElement.dataset.by));
  $("list").addEventListener("keydown", event => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    step(by);
  });
}
