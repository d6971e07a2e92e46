// What the server says of its models: classes, their names, the columns of CSV. In a review, classes are the data set's.
import { ask } from "./api.js";
import { tell } from "./recordings.js";

/** The classes that answers and labels are of, label -> name, and which of them is atrial fibrillation. */
export const classes = { all: [], names: {}, fibrillation: null };

export function useClasses(told) {
  Object.assign(classes, { all: told.classes, names: told.names, fibrillation: told.fibrillation });
}

let asking = null;

/** What the server says; asked for once, and again if that failed. */
export function model() {
  asking ??= ask("model").then(response => response.json()).then(told => { useClasses(told); tell("model", told); return told; });
  asking.catch(() => { asking = null; });
  return asking;
}
