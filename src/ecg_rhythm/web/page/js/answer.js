// What is shown of the recording that is looked at: how far it is, what is wrong with it, or its answer and its ECG.
import { $, announce, element } from "./dom.js";
import { colourOf, fact, percent, title } from "./format.js";
import { wholeLabel } from "./labels.js";
import { classes } from "./model.js";
import { cancel, enqueue, isBusy } from "./queue.js";
import { isShown, on, recordings, tell } from "./recordings.js";
import { isHidden } from "./review.js";
import { drop, signal } from "./signals.js";
import { load, view } from "./viewer.js";

// These fields have a place of their own on the page; every other field of an answer is listed with the facts.
const PLACED = new Set(["kind", "record", "reading", "lead", "fs", "seconds", "missing", "label", "probabilities", "because", "why",
  "stride", "join", "shortest", "classes", "labels", "unreadable", "burden", "hours", "episodes", "rates", "other_leads"]);
const OPTIONS = ["lead", "fs", "unit"];
let loading = null, drawn = null;  // what stops the loading of a signal, and the recording whose signal is shown

function show(item) {
  $("start").hidden = Boolean(item);
  $("work").hidden = !item;
  document.title = item ? `${item.name} – ecg-rhythm` : "ecg-rhythm";
  if (!item) return blank();
  $("title").textContent = item.name;
  showProgress(item);
  $("error").hidden = item.state !== "failed";
  $("error").textContent = item.error;
  const isReady = Boolean(item.answer || item.review !== null);
  $("result").hidden = !isReady;
  $("reading").textContent = item.answer?.reading ?? "";
  $("cancelled").hidden = item.state !== "cancelled" || isReady;
  const isAboutReading = item.state === "failed" && /\b(lead|fs|unit)\b/.test(item.error);
  $("options").hidden = item.review !== null || !(isReady || item.state === "failed");
  if (isAboutReading) $("options").open = true;
  const alike = recordings.all.filter(other => other.state === "failed" && other !== item).length;
  $("apply-all").hidden = !(item.state === "failed" && alike);
  $("apply-all").textContent = `Read this and the ${alike} other${alike > 1 ? "s" : ""} that failed`;
  if (isReady) showResult(item);
  else blank();
}

/** Show no ECG: never that of another recording below a title. */
function blank() {
  drawn = null;
  load(null);
}

function showProgress(item) {
  const { state, done, of, name } = item, busy = isBusy(item);
  $("working").hidden = !busy;
  if (!busy) return;
  const doing = state === "waiting" ? `${name} waits for other recordings …` : of ? `Classifying ${name} …` : `Reading ${name} …`;
  $("status").textContent = doing;
  announce(doing);
  if (of) Object.assign($("progress"), { max: of, value: done });
  else $("progress").removeAttribute("value");
  $("windows").textContent = of ? `${done} of ${of} windows` : "";
}

async function showResult(item) {
  describe(item);
  loading?.abort();
  loading = new AbortController();
  const { signal: stop } = loading;
  if (drawn !== item) blank();
  $("fetching").hidden = false;
  try {
    const got = await signal(item, stop);
    if (stop.aborted || !isShown(item)) return;
    if (got.told && item.review !== null) Object.assign(item, { told: got.told });
    $("fetching").hidden = true;
    describe(item);
    if (view.signal !== got.signal) {
      load(got.signal, item.answer?.start_time);
      drawn = item;
      announce(`${item.name}: ${$("verdict").textContent}`);
    }
    tell("shown", item);
  } catch (problem) {
    if (stop.aborted) return;
    $("fetching").hidden = true;
    tell("problem", problem.message);
  }
}

function bar(name, share, colour, isBest = false) {
  const value = 100 * (share ?? 0), range = { "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": value.toFixed(0) };
  const meter = element("div", { class: "meter", role: "meter", "aria-label": name, ...range }, element("i"));
  meter.firstChild.style.width = `${value}%`;
  meter.style.setProperty("--class", `var(${colour})`);
  return element("div", { class: isBest ? "bar best" : "bar" }, element("span", {}, name), meter, element("span", { class: "number" }, percent(share)));
}

/** The answer in large letters, its probabilities, and the facts. */
function describe(item) {
  const { answer } = item;
  const [verdict, more, colour, bars, facts] = item.review !== null ? ofReview(item) : answer.kind === "timeline" ? ofTimeline(answer) : ofPrediction(answer);
  $("verdict").textContent = verdict;
  $("verdict-more").textContent = more;
  $("answer").style.setProperty("--class", `var(${colour})`);
  $("bars").replaceChildren(...bars);
  $("facts").replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

const otherFacts = answer => Object.entries(answer).filter(([name, value]) => !PLACED.has(name) && value !== null).map(fact);

function ofPrediction(answer) {
  const bars = Object.entries(answer.probabilities).map(([label, p]) => bar(title(label), p, colourOf(label), label === answer.label));
  return [title(answer.label), `Probability ${percent(answer.probabilities[answer.label])}`, colourOf(answer.label), bars, otherFacts(answer)];
}

function ofTimeline(answer) {
  const bars = Object.entries(answer.burden).map(([label, share]) => bar(title(label), share, colourOf(label), label === classes.fibrillation));
  bars.push(bar("Unreadable", answer.unreadable, "--noise"));
  const { fibrillation } = classes, hasIt = answer.classes.includes(fibrillation);
  const most = Object.keys(answer.burden).reduce((a, b) => answer.burden[b] > answer.burden[a] ? b : a);
  const label = hasIt ? fibrillation : most, share = percent(answer.burden[label]);
  const words = hasIt ? [`AF burden ${share}`, `${title(label)}, share of the readable time`] : [title(label), `${share} of the readable time`];
  return [...words, colourOf(label), bars, otherFacts(answer)];
}

function ofReview(item) {
  if (isHidden(item)) return ["What rhythm is this?", "Label the recording; then the page shows the label it has, and the prediction.", "--accent", [], []];
  const { label, predicted, probability, label_probability: ofLabel } = item.told ?? {};
  if (!label) return [item.name, "", "--other", [], []];
  const own = wholeLabel(item);
  return [`Labelled ${title(label)}`, `All results predict ${title(predicted)}`, colourOf(label),
    [bar(`Predicted: ${title(predicted)}`, probability, colourOf(predicted), true), bar(`Label: ${title(label)}`, ofLabel, colourOf(label))],
    own ? [["Your label", title(own)]] : []];
}

/** The options of reading that are filled in. */
function options() {
  const filled = Object.fromEntries(OPTIONS.map(name => [name, $(name).value.trim()]).filter(([, value]) => value));
  if (filled.fs) filled.fs = /^[1-9],\d{3}$/.test(filled.fs) ? filled.fs.replace(",", "") : filled.fs.replace(",", ".");
  return filled;
}

function readAgain(items) {
  for (const item of items) {
    drop(item);
    Object.assign(item, { options: options(), answer: null, row: null });
  }
  enqueue(items, { first: true });
}

export function start() {
  on("selected", item => {
    for (const name of OPTIONS) $(name).value = item?.options[name] ?? "";
    $("options").open = false;
    show(item);
  });
  on("changed", item => { if (isShown(item)) show(item); });
  on("labelled", () => { if (recordings.current && recordings.current.review !== null) describe(recordings.current); });
  $("cancel").addEventListener("click", () => cancel(recordings.current));
  $("once-more").addEventListener("click", () => enqueue([recordings.current], { first: true }));
  $("reading-form").addEventListener("submit", event => { event.preventDefault(); readAgain([recordings.current]); });
  $("apply-all").addEventListener("click", () => readAgain(recordings.all.filter(item => item.state === "failed")));
}
