// The recordings of the page: which there are, which is shown, and who is told when something changes.

const listeners = {};

/** Be told of "added", "removed", "changed" (of one recording), "selected", and whatever else modules tell each other. */
export function on(kind, listener) {
  (listeners[kind] ??= []).push(listener);
}

export function tell(kind, what) {
  for (const listener of listeners[kind] ?? []) listener(what);
}

/** All recordings in the order in which they came, and the one that is shown. */
export const recordings = { all: [], current: null };

let last = 0;

/** A recording that somebody gave: `path` is its name with folders, `mark` tells its content, `record` what `pack` calls it. */
export function recordingOf(files, path, mark, more = {}) {
  const name = path.split("/").pop();
  return {
    id: ++last, files, path, mark, name, record: name.replace(/(.)\.[^.]+$/, "$1"), size: files.reduce((sum, file) => sum + file.size, 0),
    options: {}, state: "waiting", done: 0, of: null, error: "", answer: null, row: null, job: null, stop: null,
    review: null, ...more,
  };
}

export function add(items) {
  if (!items.length) return;
  recordings.all.push(...items);
  tell("added", items);
  if (!recordings.current) select(items[0]);
}

export function change(item, changes) {
  Object.assign(item, changes);
  tell("changed", item);
}

export function select(item) {
  recordings.current = item;
  tell("selected", item);
}

export function clear() {
  recordings.all = [];
  tell("removed");
  select(null);
}

/** Whether a recording is shown. */
export const isShown = item => recordings.current === item;
