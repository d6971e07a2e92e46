// Signals in memory: of the recordings that were looked at last. Others are asked for again.
import { signalOf } from "./api.js";
import { isShown } from "./recordings.js";

const MOST_BYTES = 96 * 2 ** 20;  // five days at 100 Hz
const GAP = -32768, SAMPLE_OF_MEDIAN = 20000;
const FOLD = 64;  // samples that have one lowest and one highest value, so that a day is drawn at once
const kept = new Map();  // recording -> signal, the one that was used last at the end

/** Keep the signal of a recording that the server sent, and drop those that were not used for long. */
export function keep(item, sent) {
  const signal = decoded(sent);
  kept.delete(item);
  kept.set(item, signal);
  let bytes = [...kept.values()].reduce((sum, one) => sum + one.steps.byteLength, 0);
  for (const [other, one] of kept) {
    if (bytes <= MOST_BYTES) break;
    if (other === item || isShown(other)) continue;
    kept.delete(other);
    bytes -= one.steps.byteLength;
  }
  return signal;
}

/** The signal of a recording: from memory, or from the server, which also says what else it knows (`told`). */
export async function signal(item, stop) {
  const known = kept.get(item);
  if (known) {
    kept.delete(item);
    kept.set(item, known);
    return { signal: known };
  }
  const { signal: sent, ...told } = await signalOf(item, stop);
  return { signal: keep(item, sent), told };
}

export const isKept = item => kept.has(item);
export const drop = item => kept.delete(item);
export const dropAll = () => kept.clear();

/** 16-bit steps in base64 -> the signal. */
function decoded({ fs, steps_per_mv: perMv, samples }) {
  const text = atob(samples), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const steps = new Int16Array(bytes.buffer), some = [];
  const every = Math.max(1, Math.floor(steps.length / SAMPLE_OF_MEDIAN));
  for (let i = 0; i < steps.length; i += every) if (steps[i] !== GAP) some.push(steps[i]);
  some.sort((a, b) => a - b);
  const middle = (some[some.length >> 1] ?? 0) / perMv;
  return { fs, perMv, steps, middle, seconds: steps.length / fs, folds: folded(steps) };
}

/** The lowest and the highest step of each `FOLD` samples; `GAP` twice where there is none. */
function folded(steps) {
  const count = Math.ceil(steps.length / FOLD), folds = new Int16Array(2 * count);
  for (let i = 0; i < count; i++) {
    const [low, high] = extent(steps, i * FOLD, Math.min((i + 1) * FOLD, steps.length));
    folds[2 * i] = low;
    folds[2 * i + 1] = high;
  }
  return folds;
}

function extent(steps, first, last) {
  let low = 32767, high = GAP;
  for (let i = first; i < last; i++) {
    const step = steps[i];
    if (step === GAP) continue;
    if (step < low) low = step;
    if (step > high) high = step;
  }
  return high === GAP ? [GAP, GAP] : [low, high];
}

const inMv = (step, perMv) => step === GAP ? null : step / perMv;

/** The value in mV at a time, between samples on the line between them; null in a gap. */
export function valueAt({ steps, fs, perMv }, seconds) {
  const at = Math.max(0, Math.min(seconds * fs, steps.length - 1)), left = Math.floor(at), right = Math.min(left + 1, steps.length - 1);
  const low = inMv(steps[left], perMv), high = inMv(steps[right], perMv);
  return low === null || high === null ? low ?? high : low + (high - low) * (at - left);
}

/** Points to draw between two times, about `most` of them: [seconds, mV]. Of many samples, the lowest and highest. */
export function points({ steps, folds, fs, perMv }, from, to, most) {
  const first = Math.max(Math.floor(from * fs) - 1, 0), last = Math.min(Math.ceil(to * fs) + 1, steps.length);
  const xs = [], ys = [], every = Math.ceil(2 * (last - first) / most);
  if (every <= 2) {
    for (let i = first; i < last; i++) { xs.push(i / fs); ys.push(inMv(steps[i], perMv)); }
    return [xs, ys];
  }
  const wide = every >= 2 * FOLD, step = wide ? Math.floor(every / FOLD) * FOLD : every;
  for (let i = wide ? Math.floor(first / step) * step : first; i < last; i += step) {
    const end = Math.min(i + step, steps.length);
    const [low, high] = wide ? extent(folds, 2 * i / FOLD, 2 * Math.ceil(end / FOLD)) : extent(steps, i, end);
    xs.push(i / fs, (i + step / 2) / fs);
    ys.push(inMv(low, perMv), inMv(high, perMv));
  }
  return [xs, ys];
}
