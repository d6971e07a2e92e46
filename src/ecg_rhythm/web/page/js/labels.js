// Labels that a person gives: to a whole recording, or to a stretch of one. They are kept in this browser until they are
// cleared, so that a reload loses nothing, and they are saved as CSV.
import { csvLine, csvRows } from "./csv.js";
import { colourOf } from "./format.js";
import { recordings, tell } from "./recordings.js";

const KEY = "ecg-rhythm labels", MOST_UNDONE = 100;
const HEADER = ["record", "start_s", "end_s", "label"];

const isTime = value => value === null || Number.isFinite(value);
const isLabel = one => typeof one?.label === "string" && isTime(one.start) && isTime(one.end);

// Key of a recording -> { record, given: [{ start, end, label }] }; start and end are null for the whole of it.
let labels = read(), synced = copyOf(labels), undone = [], keeps = true;

function copyOf(value) { return JSON.parse(JSON.stringify(value)); }

/** What this browser keeps; what is not as this page writes it, such as another program's, is left out. */
function read() {
  try {
    const found = Object.entries(JSON.parse(localStorage.getItem(KEY)) ?? {});
    return Object.fromEntries(found.filter(([, value]) => typeof value?.record === "string" && Array.isArray(value.given) && value.given.every(isLabel)));
  } catch { return {}; }  // a browser that keeps nothing
}

/** Keep what has changed here; what other pages of this browser have changed meanwhile stays. */
function write() {
  const stored = keeps ? read() : copyOf(synced);
  for (const key of new Set([...Object.keys(synced), ...Object.keys(labels)])) {
    if (JSON.stringify(labels[key]) === JSON.stringify(synced[key])) continue;
    if (labels[key]) stored[key] = labels[key];
    else delete stored[key];
  }
  labels = stored;
  synced = copyOf(labels);
  try {
    if (Object.keys(labels).length) localStorage.setItem(KEY, JSON.stringify(labels));
    else localStorage.removeItem(KEY);
    keeps = true;
  } catch {
    keeps = false;
    tell("problem", "This browser keeps no labels; save them as CSV before you close the page.");
  }
  tell("labelled");
}

/** Whether the labels outlive a reload. */
export const areKept = () => keeps;

/** Take over what another page of this browser has changed. */
export function start() {
  window.addEventListener("storage", ({ key }) => {
    if (key !== KEY && key !== null) return;
    labels = read();
    synced = copyOf(labels);
    tell("labelled");
  });
}

/** What tells a recording from others of its name: its folder, and what is in it. */
const keyOf = item => `${item.path}|${item.mark}`;

/** Key of labels that came from a CSV, before their recording did. */
const keyOfRecord = record => `${record}|`;

/** The labels of a recording: one of all of it, or those of stretches, by time. */
export const labelsOf = item => item ? labels[keyOf(item)]?.given ?? [] : [];

/** The label of a whole recording, if it was given one. */
export const wholeLabel = item => labelsOf(item).find(one => one.start === null)?.label;

export const count = () => Object.values(labels).reduce((sum, { given }) => sum + given.length, 0);

/** How many recordings have labels. */
export const countRecordings = () => Object.keys(labels).length;

export const canUndo = () => undone.length > 0;

function remember() {
  undone = [...undone, JSON.stringify(labels)].slice(-MOST_UNDONE);
}

/** Undo the last change; false if there is none. */
export function undo() {
  if (!undone.length) return false;
  labels = JSON.parse(undone.pop());
  write();
  return true;
}

/** A list of labels with one more, of a recording of some seconds. It replaces what it covers: a moment has one label. */
function painted(given, one, seconds) {
  if (one.start === null) return [one];
  const left = given.map(other => other.start === null ? { ...other, start: 0, end: rounded(seconds) } : other).flatMap(other =>
    [{ ...other, end: Math.min(other.end, one.start) }, { ...other, start: Math.max(other.start, one.end) }]);
  return [...left.filter(part => part.end > part.start), one].sort((a, b) => a.start - b.start);
}

const rounded = seconds => seconds === null ? null : Math.round(1000 * seconds) / 1000;

/** Give a recording of some seconds a label, or a stretch of it from `start` to `end` s. */
export function give(item, label, seconds, { start, end } = { start: null, end: null }) {
  remember();
  const one = { start: rounded(start), end: rounded(end), label };
  labels[keyOf(item)] = { record: item.record, path: item.path, given: painted(labelsOf(item), one, seconds) };
  write();
}

export function remove(item, one) {
  remember();
  const given = labelsOf(item).filter(other => other !== one);
  if (given.length) labels[keyOf(item)].given = given;
  else delete labels[keyOf(item)];
  write();
}

export function clearLabels() {
  remember();
  labels = {};
  write();
}

/** The recording that a table means: the one of this path, or else the only one of this name. */
function meant(record, items) {
  const named = items.filter(item => item.record === record);
  return items.find(item => item.path === record) ?? (named.length === 1 ? named[0] : undefined);
}

/** Labels that came from a CSV belong to recordings that come later. */
export function adopt(items) {
  let isChanged = false;
  for (const item of items) {
    const early = [item.path, item.record].map(keyOfRecord).find(key => labels[key]);
    if (!early || labels[keyOf(item)] || meant(labels[early].record, items) !== item) continue;
    labels[keyOf(item)] = { ...labels[early], record: item.record, path: item.path };
    delete labels[early];
    isChanged = true;
  }
  if (isChanged) write();
}

/** All labels as CSV. Where several recordings have a name, they are called by their paths, which `pack` knows, too. */
export function labelsAsCsv() {
  const all = Object.values(labels), often = Map.groupBy(all, ({ record }) => record);
  const nameOf = ({ record, path }) => often.get(record).length > 1 ? path ?? record : record;
  const rows = all.flatMap(of => of.given.map(one => [nameOf(of), one.start, one.end, one.label]));
  return [HEADER, ...rows].map(csvLine).join("");
}

/** Whether a text is CSV of labels. */
export const isLabels = text => text.replace(/^\ufeff/, "").split(/\r?\n/, 1)[0].trim() === HEADER.join(",");

/** Take labels from CSV, in place of those that its recordings have; returns how many there were. */
export function readLabels(text) {
  const rows = csvRows(text).slice(1), often = Map.groupBy(rows, ([record]) => record);
  for (const [i, [record, start, end, label]] of rows.entries()) {
    const times = [start, end].map(time => time === "" ? null : Number(time)), isWhole = times[0] === null && times[1] === null;
    if (!record || !label || !(isWhole || (times[0] !== null && times[0] >= 0 && times[1] > times[0]))) {
      throw new Error(`Line ${i + 2} is no label: give record, start and end in s (or neither), and label.`);
    }
    if (isWhole && often.get(record).length > 1) {
      throw new Error(`Line ${i + 2} labels all of ${record}, and another line a part of it; remove one of them.`);
    }
  }
  remember();
  for (const [record, lines] of often) {
    const given = lines.map(([, start, end, label]) => ({ start: start === "" ? null : Number(start), end: end === "" ? null : Number(end), label }));
    const item = meant(record, recordings.all);
    const whose = item ? { record: item.record, path: item.path } : { record };
    labels[item ? keyOf(item) : keyOfRecord(record)] = { ...whose, given: given.reduce((all, one) => painted(all, one), []) };
  }
  write();
  return rows.length;
}

/** The labelled stretches of the recording that is shown, as coloured bands. */
export const labelBands = () => labelsOf(recordings.current).filter(one => one.start !== null)
  .map(({ start, end, label }) => ({ start, end, colour: colourOf(label), band: "bottom" }));
