// Files and folders that are chosen or dropped -> recordings. The files of a WFDB record are one recording.
import { $, announce } from "./dom.js";
import { isLabels } from "./labels.js";
import { restore } from "./labelling.js";
import { model } from "./model.js";
import { enqueue } from "./queue.js";
import { add, recordingOf, recordings, select, tell } from "./recordings.js";

const MOST_BYTES_OF_LABELS = 2 ** 24, ENDS = 2 ** 16;
const isHeader = path => path.toLowerCase().endsWith(".hea");
const suffix = path => /.\.[^./]+$/.exec(path)?.[0].slice(1).toLowerCase() ?? "";

/** The files that a WFDB header names: its signal files, or the headers of its segments (header(5)). */
function partsNamed(header) {
  const lines = header.split(/\r?\n/).filter(line => line.trim() && !line.startsWith("#")).map(line => line.trim().split(/\s+/));
  if (!lines.length) return [];
  const [first, ...rest] = lines, segments = /\/(\d+)$/.exec(first[0]), number = Number(segments?.[1] ?? first[1]);
  const names = rest.slice(0, Number.isInteger(number) ? number : undefined).map(([name]) => name).filter(name => name !== "~");
  return names.map(name => segments ? `${name}.hea` : name);
}

/** Files in groups, each a recording: `files` is a list of [path, file]. */
async function grouped(files) {
  const byPath = new Map(files), parts = new Set(), groups = [];
  const headers = files.filter(([path]) => isHeader(path));
  for (const [path, file] of headers) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1), named = partsNamed(await file.text()).map(name => folder + name);
    const own = [...new Set(named)].filter(name => byPath.has(name) && !isHeader(name));
    groups.push([path, [file, ...own.map(name => byPath.get(name))]]);
    for (const name of named) parts.add(name);
  }
  const stems = new Set(headers.map(([path]) => path.slice(0, -4)));
  const others = files.filter(([path]) => !isHeader(path) && !parts.has(path) && !stems.has(path.replace(/\.[^./]+$/, "")));
  return [...groups.filter(([path]) => !parts.has(path)), ...others.map(([path, file]) => [path, [file]])]
    .sort(([a], [b]) => a < b ? -1 : 1);
}

/** A short text that differs if the sizes, or the first or last 64 KiB, of files do (FNV-1a). */
async function markOf(files) {
  let hash = 0x811c9dc5;
  for (const file of files) {
    for (const part of [file.slice(0, ENDS), file.slice(-ENDS)]) {
      for (const byte of new Uint8Array(await part.arrayBuffer())) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    }
  }
  return `${files.reduce((sum, file) => sum + file.size, 0)} ${hash.toString(16)}`;
}

const sameAs = ({ path, mark }) => `${path} ${mark}`;

/** Take files in, and say what is wrong if that fails. */
async function take(files, isFolder) {
  try { await taken(files, isFolder); }
  catch (problem) { tell("problem", problem.message || "These files cannot be read; choose them again."); }
}

/** Take files in: labels are read, recordings classified. Of a folder, other files are passed over. */
async function taken(files, isFolder) {
  tell("problem", "");
  const { suffixes } = await model(), wanted = [], passed = [];
  for (const [path, file] of files) {
    const isTable = path.toLowerCase().endsWith(".csv") && file.size <= MOST_BYTES_OF_LABELS;
    if (isTable && isLabels(await file.slice(0, 100).text())) {
      try { restore(await file.text()); }
      catch (problem) { tell("problem", `${path}: ${problem.message}`); }
    } else wanted.push([path, file]);
  }
  const groups = (await grouped(wanted)).filter(([path]) => {
    const isOne = !isFolder || !suffix(path) || suffixes.includes(suffix(path));
    if (!isOne) passed.push(suffix(path));
    return isOne;
  });
  const number = passed.length > 1 ? `${passed.length} files that are` : "1 file that is";
  if (passed.length) tell("problem", `Passed over ${number} no ECG: ${[...new Set(passed)].sort().join(", ")}`);
  const given = await Promise.all(groups.map(async ([path, own]) => recordingOf(own, path, await markOf(own))));
  const known = new Map(recordings.all.map(item => [sameAs(item), item])), items = given.filter(item => !known.has(sameAs(item)));
  if (given.length && !items.length) select(known.get(sameAs(given[0])));  // it is in the list already
  add(items);
  enqueue(items);
  if (items.length > 1) announce(`${items.length} recordings were added.`);
}

const isHidden = path => path.split("/").some(part => part.startsWith("."));

/** All files below a dropped file or folder, as [path, file]. */
async function within(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) return [[path, await new Promise((resolve, reject) => entry.file(resolve, reject))]];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    for (const one of some) if (!one.name.startsWith(".")) found.push(...await within(one));
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return take([...transfer.files].map(file => [file.name, file]), false);
  const isFolder = entries.some(entry => entry.isDirectory);
  return take((await Promise.all(entries.map(within))).flat(), isFolder);
}

async function sample() {
  $("sample").disabled = true;
  try {
    const response = await fetch("/page/sample.csv");
    if (!response.ok) throw new Error(`The server refused the sample (status ${response.status}); try again.`);
    await take([["sample.csv", new File([await response.blob()], "sample.csv")]], false);
  } catch (problem) {
    tell("problem", problem instanceof TypeError ? "The server does not answer; check that it is running." : problem.message);
  } finally { $("sample").disabled = false; }
}

export function start() {
  for (const [input, buttons] of [["file", ["open", "open-first"]], ["folder", ["open-folder", "open-folder-first"]]]) {
    for (const button of buttons) $(button).addEventListener("click", () => $(input).click());
    $(input).addEventListener("change", () => {
      const files = [...$(input).files].map(file => [file.webkitRelativePath || file.name, file]).filter(([path]) => input === "file" || !isHidden(path));
      $(input).value = "";
      take(files, input === "folder");
    });
  }
  $("sample").addEventListener("click", sample);
  for (const kind of ["dragenter", "dragover"]) document.addEventListener(kind, event => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  document.addEventListener("dragleave", event => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  document.addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("over");
    dropped(event.dataTransfer);
  });
}
