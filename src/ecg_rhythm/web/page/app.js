// A file goes to the server, its answer comes on the page.
"use strict";

const $ = id => document.getElementById(id);
const FIBRILLATION = "atrial fibrillation";
const PALETTE = { N: "--N", A: "--A", O: "--O", "~": "--noise" };
const UNITS = { heart_rate: "beats/min" }, SHORT = { probabilities: "p" };
// These have a place of their own on the page; every other field is listed with the facts.
const PLACED = new Set(["kind", "record", "reading", "lead", "fs", "seconds", "missing", "label", "probabilities", "because", "why",
  "signal", "stride", "join", "shortest", "classes", "labels", "rates", "lowest_rate", "highest_rate", "pauses", "other_leads", "unreadable", "burden", "hours", "episodes"]);
const OFTEN = 150, SELDOM = 1000, PATIENCE = 5;  // ms between two questions, the first and later ones; failed questions
let sent = null, answer = null, names = {};
const model = fetch("/api/model").then(response => response.json());

const viewer = new Viewer($("viewer"), (from, to) => {
  $("where").textContent = `${clock(from)} to ${clock(to)}`;
  if (answer && answer.kind === "timeline") drawOverview(from, to);
});

function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  return seconds < 60 ? `${seconds.toFixed(1)} s` : parts.map((v, i) => i ? String(v).padStart(2, "0") : v).join(":");
}

const percent = share => share === null || share === undefined ? "-" : `${(100 * share).toFixed(1)}\u00a0%`;
const title = label => names[label] ? `${label}, ${names[label]}` : label;
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const paint = label => colour(PALETTE[label] || "--other");

function element(tag, text, properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: text, ...properties });
}

// Lead, rate and unit apply to the file that is shown, too.
for (const key of ["lead", "fs", "unit"]) $(key).addEventListener("change", () => { if (sent) send(sent.name, sent.body); });

// A single file is the body; several are a WFDB record, named after its header.
function sendFiles(files) {
  if (files.length < 2) return files.length ? send(files[0].name, files[0]) : undefined;
  const form = new FormData();
  for (const file of files) form.append("files", file);
  const header = files.find(file => file.name.endsWith(".hea")) || files[0];
  return send(header.name, form);
}

async function send(name, body) {
  // Lead, rate and unit of another file do not apply to this one.
  if (sent && sent.body !== body) for (const key of ["lead", "fs", "unit"]) $(key).value = "";
  cancel();
  const query = new URLSearchParams({ name });
  for (const key of ["lead", "fs", "unit"]) if ($(key).value.trim()) query.set(key, $(key).value.trim());
  if (query.has("fs")) query.set("fs", query.get("fs").replace(",", "."));
  const own = sent = { name, query, body, job: null, stop: null };
  $("error").hidden = true;
  $("result").hidden = true;
  try {
    const received = await classified(own);
    names = (await model).names;
    if (own.stop.signal.aborted) return;  // another file was chosen meanwhile, or this one was cancelled
    answer = received;
    show();
  } catch (problem) {
    if (own.stop.signal.aborted) return;
    $("error").textContent = problem.message;
    $("error").hidden = false;
    if (/\b(lead|fs|unit)\b/.test(problem.message)) $("options").open = true;
  }
  idle();
}

// A file is classified as a job: the server says how far it is, and can be told to stop.
async function classified(own) {
  own.stop = new AbortController();
  idle(`Reading ${own.name} ...`);
  const query = new URLSearchParams([...own.query, ["signal", "1"], ["why", "1"]]);
  // The browser sets the content type of a form itself, with its boundary.
  const headers = own.body instanceof FormData ? {} : { "Content-Type": "application/octet-stream" };
  const begin = { method: "POST", body: own.body, headers, signal: own.stop.signal };
  own.job = (await (await ask(`jobs?${query}`, begin)).json()).id;
  for (let wait = OFTEN, failed = 0; ; wait = Math.min(1.5 * wait, SELDOM)) {
    await pause(wait);
    if (own.stop.signal.aborted) return null;
    try {
      const job = await (await ask(`jobs/${own.job}`)).json();
      failed = 0;
      if (job.state === "done" || job.state === "failed") break;
      if (!own.stop.signal.aborted) showProgress(own.name, job);
    } catch (problem) { if (problem.status || ++failed === PATIENCE) throw problem; }
  }
  return (await ask(`jobs/${own.job}/result`)).json();
}

function showProgress(name, { state, done, of }) {
  const doing = state === "waiting" ? `${name} waits for other recordings ...` : of ? `Classifying ${name} ...` : `Reading ${name} ...`;
  if ($("status").textContent !== doing) $("status").textContent = doing;  // a reader of the screen says it once
  if (!of) return;
  $("progress").max = of;
  $("progress").value = done;
  $("windows").textContent = `${done} of ${of} windows`;
}

// Shows what is being done, or that nothing is.
function idle(status = "") {
  $("status").textContent = status;
  $("working").hidden = !status;
  $("progress").removeAttribute("value");
  $("windows").textContent = "";
}

// Ends what was sent last; the server forgets it, too.
function cancel() {
  if (!sent) return;
  sent.stop.abort();
  if (sent.job) fetch(`/api/jobs/${sent.job}`, { method: "DELETE", keepalive: true }).catch(() => {});
  idle();
}

async function ask(what, options = {}) {
  let response;
  try { response = await fetch(`/api/${what}`, options); }
  catch { throw new Error("The server does not answer; check that it is running."); }
  if (response.ok) return response;
  const refusal = await response.json().catch(() => ({}));
  const says = typeof refusal.error === "string" ? refusal.error : `The server refused the file (status ${response.status}).`;
  throw Object.assign(new Error(says), { status: response.status });
}

function bar(name, share, best) {
  const row = element("div", "", { className: "bar" });
  row.append(element("span", name), element("meter", "", { min: 0, max: 1, value: share }), element("span", percent(share)));
  if (best) row.style.fontWeight = "bold";
  return row;
}

function show() {
  const long = answer.kind === "timeline";
  $("result").hidden = false;
  $("reading").textContent = answer.reading;
  $("summary").replaceChildren();
  $("band").hidden = !long;
  const fibrillation = long && answer.classes.find(label => names[label] === FIBRILLATION);
  $("episodes").hidden = !fibrillation;
  if (long) {
    $("title").textContent = answer.record + (fibrillation ? `: AF burden ${percent(answer.burden[fibrillation])}` : "");
    for (const [label, share] of Object.entries(answer.burden)) $("summary").append(bar(title(label), share || 0));
    $("summary").append(bar("unreadable", answer.unreadable));
    $("legend").replaceChildren(...[...new Set([...answer.classes, "~"])].map(label => {
      const mark = element("i", ""), entry = element("span", "");
      mark.style.background = paint(label);
      entry.append(mark, title(label));
      return entry;
    }));
    if (fibrillation) listEpisodes(fibrillation);
  } else {
    $("title").textContent = `${answer.record}: ${title(answer.label)}`;
    for (const [label, p] of Object.entries(answer.probabilities)) $("summary").append(bar(title(label), p, label === answer.label));
  }
  const facts = Object.entries(answer).filter(([name, value]) => !PLACED.has(name) && value !== null).map(fact);
  if (answer.why && answer.why.stretches.length) facts.push("shaded: the seconds that influenced the prediction most");
  if (facts.length) $("summary").append(element("p", facts.join("; ")));
  viewer.load(answer.signal, answer.why ? answer.why.stretches : []);
  $("title").scrollIntoView({ block: "nearest" });
}

// The time of day of a clock time in ISO 8601, without its date and time zone.
function day(moment) {
  return moment.split("T").pop().slice(0, 8);
}

function fact([name, value]) {
  const text = Array.isArray(value) ? value.join(" or ") : typeof value !== "number" ? value
    : Math.abs(value) < 10 ? value.toPrecision(2) : value.toFixed(0);
  return `${name.replaceAll("_", " ")} ${text} ${UNITS[name] || ""}`.trim();
}

function listEpisodes(label) {
  const rows = answer.episodes.filter(episode => episode.label === label);
  $("episodes").querySelector("h3").textContent = rows.length ? `Episodes of ${title(label)}` : `No episode of ${title(label)}`;
  $("list").replaceChildren(...rows.map(episode => {
    const times = episode.start_time ? ` (${day(episode.start_time)} to ${day(episode.end_time)})` : "";
    const text = `${clock(episode.start)} to ${clock(episode.end)}${times}, ${clock(episode.end - episode.start)}, probability ${episode.probability.toFixed(2)}`;
    const row = element("li", ""), link = element("button", text, { type: "button" });
    link.addEventListener("click", () => { viewer.paper(episode.start); $("viewer").focus({ preventScroll: false }); });
    row.append(link);
    return row;
  }));
}

function drawOverview(from, to) {
  const canvas = $("overview"), ratio = devicePixelRatio, width = canvas.clientWidth * ratio, height = 48 * ratio;
  canvas.width = width;
  canvas.height = height;
  const paper = canvas.getContext("2d"), scale = width / answer.seconds;
  for (const episode of answer.episodes) {
    paper.fillStyle = paint(episode.label);
    paper.fillRect(episode.start * scale, 0, Math.max((episode.end - episode.start) * scale, 1), height);
  }
  paper.strokeStyle = colour("--ink");
  paper.lineWidth = 2 * ratio;
  paper.strokeRect(from * scale, ratio, Math.max((to - from) * scale, 2 * ratio), height - 2 * ratio);
}

function save(name, blob) {
  const link = element("a", "", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const quoted = value => /[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value;

// A strip has one row, with a column for each field, or for each class of it; a long recording has a row for each episode.
function asCsv() {
  if (answer.kind === "timeline") return csv([Object.keys(answer.episodes[0]), ...answer.episodes.map(Object.values)]);
  const { kind, signal, why, reading, ...rest } = answer;
  const cells = Object.entries({ ...rest, reading }).flatMap(([name, value]) => value && value.constructor === Object
    ? Object.entries(value).map(([label, part]) => [`${SHORT[name] || name}(${label})`, part]) : [[name, flat(value)]]);
  return csv([cells.map(([name]) => name), cells.map(([, value]) => value)]);
}

const flat = value => Array.isArray(value) ? value.map(one => [].concat(one).join("-")).join(" ") : value ?? "";
const csv = rows => rows.map(row => row.map(quoted).join(",")).join("\n") + "\n";

async function download(kind) {
  const name = `${answer.record.replace(/\.[^.]*$/, "")}.${kind}`;
  if (kind === "json") {
    const { signal, ...rest } = answer;
    return save(name, new Blob([JSON.stringify(rest, null, 2)], { type: "application/json" }));
  }
  if (kind === "csv") return save(name, new Blob([asCsv()], { type: "text/csv" }));
  $("error").hidden = true;
  try { save(name, await (await picture(sent, kind)).blob()); }
  catch (problem) { $("error").textContent = problem.message; $("error").hidden = false; }
}

// The server draws its own answer; if it has forgotten it, the file is classified again.
async function picture(own, kind) {
  try { return await ask(`jobs/${own.job}/picture?kind=${kind}`); }
  catch (problem) { if (problem.status !== 404) throw problem; }
  try { await classified(own); } finally { if (!own.stop.signal.aborted) idle(); }
  return ask(`jobs/${own.job}/picture?kind=${kind}`);
}

$("file").addEventListener("change", () => { sendFiles([...$("file").files]); $("file").value = ""; });
$("sample").addEventListener("click", async () => send("sample.csv", await (await fetch("/page/sample.csv")).blob()));
$("controls").addEventListener("click", event => { const action = event.target.dataset.do; if (action) viewer.do(action); });
$("downloads").addEventListener("click", event => { const kind = event.target.dataset.get; if (kind) download(kind); });
$("overview").addEventListener("click", event => viewer.paper(event.offsetX / $("overview").clientWidth * answer.seconds));
$("form").addEventListener("submit", event => event.preventDefault());
for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, event => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", event => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", event => {
  event.preventDefault();
  $("drop").classList.remove("over");
  sendFiles([...event.dataTransfer.files]);
});
$("cancel").addEventListener("click", () => { cancel(); $("file").focus(); });
addEventListener("pagehide", cancel);
model.then(told => {
  $("model").textContent = `ecg-rhythm ${told.version}, ${told.models.map(m => m.model_name).join(", ")}`;
});
