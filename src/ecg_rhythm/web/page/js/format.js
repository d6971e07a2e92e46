// Numbers, times and classes as people read them.
import { classes } from "./model.js";

const two = number => String(Math.floor(number)).padStart(2, "0");

/** Seconds from the start of a recording: `12.3 s`, or `1:02:03`. */
export function clock(seconds) {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 3600)}:${two(seconds / 60 % 60)}:${two(seconds % 60)}`;
}

/** A duration in words: `820 ms`, `12.3 s`, `2 min 5 s`, `2 h 30 min`. */
export function duration(seconds) {
  if (seconds < 1) return `${Math.round(1000 * seconds)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min${whole % 60 ? ` ${whole % 60} s` : ""}`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

/** Seconds since midnight of a clock time in ISO 8601; null if there is none. */
export function midnight(time) {
  const parts = /(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?/.exec(time ?? "");
  return parts && 3600 * parts[1] + 60 * parts[2] + Number(parts[3] ?? 0);
}

/** The time of day, of seconds after midnight; from the second midnight on with the days that have passed. */
export function timeOfDay(seconds, decimals = 0) {
  const step = 10 ** decimals, rounded = Math.round(seconds * step) / step;
  const rest = (rounded % 60).toFixed(decimals).padStart(decimals ? 3 + decimals : 2, "0");
  const days = Math.floor(rounded / 86_400);
  return `${days > 1 ? `+${days} d ` : ""}${two(rounded / 3600 % 24)}:${two(rounded / 60 % 60)}:${rest}`;
}

export const percent = (share, decimals = 1) => share === null || share === undefined ? "–" : `${(100 * share).toFixed(decimals)}\u00a0%`;

const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

/** A class, its name first: `Atrial fibrillation (A)`. */
export const title = label => classes.names[label] ? `${capital(classes.names[label])} (${label})` : label;

/** A class in few letters, with its name where there is one. */
export const shortName = label => classes.names[label] ? capital(classes.names[label]) : label;

const PALETTE = { N: "--N", A: "--A", O: "--O", "~": "--noise" };

/** The name of the colour of a class in the style sheet. */
export const colourOf = label => PALETTE[label] ?? "--other";

const UNITS = { heart_rate: "beats/min", lowest_rate: "beats/min", highest_rate: "beats/min", fs: "Hz", seconds: "s" };

const DAY = /^(\d{4}-\d\d-\d\d)T/;  // of a clock time in ISO 8601

/** A field of an answer that has no place of its own, as text. */
export function fact([name, value]) {
  const text = Array.isArray(value) ? value.join(" or ") : name === "quality" ? value.toFixed(2) : typeof value !== "number" ? String(value).replace(DAY, "$1 ")
    : Math.abs(value) < 10 ? String(Number(value.toPrecision(2))) : value.toFixed(0);
  return [capital(name.replaceAll("_", " ")), `${text} ${UNITS[name] ?? ""}`.trim()];
}
