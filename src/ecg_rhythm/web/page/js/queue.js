// Sends recordings to the server, a few at a time, so that any number can be dropped.
import { classified, discard } from "./api.js";
import { change, isShown, recordings, select } from "./recordings.js";
import { isKept, keep } from "./signals.js";

const AT_ONCE = 2;
const SMALL = 4 * 2 ** 20;  // bytes; the signal of a larger file is fetched when it is looked at
const KEPT = 8;  // jobs that the server is asked to forget when the page is closed; it forgets older ones by itself

/** What recordings are asked for, besides their answer. */
export const asked = { why: false };

let waiting = [], running = 0, jobs = [], atOnce = AT_ONCE;

/** Classify recordings, after those that wait already; `first` puts them before these. */
export function enqueue(items, { first = false } = {}) {
  items.forEach(cancel);
  for (const item of items) change(item, { state: "waiting", done: 0, of: null, error: "", stop: new AbortController() });
  waiting = first ? [...items, ...waiting] : [...waiting, ...items];
  next();
}

function next() {
  while (running < atOnce && waiting.length) {
    // What is looked at comes first.
    const at = Math.max(waiting.indexOf(recordings.current), 0);
    run(waiting.splice(at, 1)[0]);
  }
}

async function run(item) {
  running++;
  const stop = item.stop.signal, more = { row: 1 };
  if (!isKept(item) && (isShown(item) || item.size <= SMALL)) more.signal = 1;
  if (asked.why && isShown(item)) more.why = 1;
  try {
    const { answer: { signal, row, ...answer }, job } = await classified(item, more, stop, ({ state, done, of }) => {
      if (!stop.aborted) change(item, { state, done, of });
    }, () => { atOnce = 1; });
    stop.throwIfAborted();
    jobs = [...jobs, job].slice(-KEPT);
    if (signal) keep(item, signal);
    change(item, { state: "done", answer, row, job });
  } catch (problem) {
    if (!stop.aborted) change(item, { state: "failed", error: problem.message });
  } finally {
    running--;
    next();
  }
}

export const isBusy = item => item.state === "waiting" || item.state === "running";

/** End what is being done for a recording; the server forgets it, too. */
export function cancel(item) {
  if (!isBusy(item)) return;
  waiting = waiting.filter(other => other !== item);
  item.stop?.abort();
  change(item, { state: item.answer ? "done" : "cancelled" });
}

export function cancelAll() {
  for (const item of recordings.all.filter(isBusy)) cancel(item);
}

/** Classify a recording again, and wait until it is done; rejects if it failed. */
export async function again(item) {
  enqueue([item], { first: true });
  select(item);
  while (isBusy(item)) await new Promise(resolve => setTimeout(resolve, 100));
  if (item.state === "failed") throw new Error(item.error);
}

addEventListener("beforeunload", event => {  // the answers of many recordings take long
  if (recordings.all.filter(isBusy).length > 1) event.preventDefault();
});
addEventListener("pagehide", () => {
  cancelAll();
  discard(jobs);
});
