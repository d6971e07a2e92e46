// What the server says of its models: classes, their names, the columns of CSV. In a review, classes are the data set's.
import { ask } from "./api.js";

/** The classes that answers and labels are of, label -> name, and which of them is atrial fibrillation. */
export const classes = { all: [], names: {}, fibrillation: null };

export function useClasses(told) {
  Object.assign(classes, { all: told.classes, names: told.names, fibrillation: told.fibrillation });
}

export const model = ask("model").then(response => response.json()).then(told => { useClasses(told); return told; });
