// A review: recordings whose labels may be wrong, for a person to label anew. The server was started with them.
import { ask } from "./api.js";
import { labelsOf } from "./labels.js";
import { model, useClasses } from "./model.js";
import { add, recordingOf, tell } from "./recordings.js";

let isBlind = false;

/** Whether the person must not see yet what is known of a recording. */
export const isHidden = item => item.review !== null && isBlind && !labelsOf(item).length;

/** What the list says of a recording of a review. */
export const toldOf = item => isHidden(item) ? {} : item.told ?? {};

export async function start() {
  if (!(await model()).review) return;
  const review = await (await ask("review")).json();
  isBlind = review.blind;
  useClasses(review);
  tell("classes");
  add(review.recordings.map(({ record, ...told }, i) => recordingOf([], record, `review ${review.data}`, { record, review: i, state: "done", told: told.label ? told : null })));
}
