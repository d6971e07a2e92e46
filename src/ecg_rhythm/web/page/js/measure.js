// Two points on the ECG: the time, rate and voltage between them. The stretch between them can be labelled, too.
import { $, announce, clamp, draggable, element } from "./dom.js";
import { on, tell } from "./recordings.js";
import { valueAt } from "./signals.js";
import { mark, pixelOf, redraw, timeAt, view } from "./viewer.js";

const FINE = 0.01, COARSE = 0.1;  // s for an arrow key, and with Shift
const FASTEST = 400;  // beats/min; a shorter time is no time between beats

/** Whether pointers measure, and the two points in s, in the order in which they were set. */
export const measure = { isOn: false, points: null };

/** What is selected: start and end in s, or null. */
export function selection() {
  const [a, b] = measure.points ?? [0, 0];
  return a === b ? null : { start: Math.min(a, b), end: Math.max(a, b) };
}

export function clearSelection() {
  measure.points = null;
  update();
}

export function setMeasuring(isOn) {
  measure.isOn = isOn;
  $("measure").setAttribute("aria-pressed", String(isOn));
  $("strip").classList.toggle("measuring", isOn);
  if (isOn && !measure.points && view.signal) {
    const third = (Math.min(view.to, view.signal.seconds) - view.from) / 3;
    measure.points = [view.from + third, Math.min(view.from + third + 1, view.from + 2 * third)];
    announce("Two points are set. Tab takes you to each; arrow keys move it.");
  }
  if (!isOn) measure.points = null;
  update();
}

/** What lies between the points, in words. */
function read() {
  const [a, b] = measure.points, seconds = Math.abs(b - a), [first, last] = [Math.min(a, b), Math.max(a, b)].map(at => valueAt(view.signal, at));
  const rate = seconds > 60 / FASTEST ? `${Math.round(60 / seconds)} beats/min` : "";
  const voltage = first === null || last === null ? "" : `${last >= first ? "+" : "\u2212"}${Math.abs(last - first).toFixed(2)} mV`;
  const time = seconds < 10 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(2)} s`;
  return [time, seconds < 10 ? rate : "", voltage];
}

/** Put the points and what is between them where they belong. */
function place() {
  const has = measure.points && view.signal && view.plot;
  $("measured").hidden = !has;
  for (const [i, point] of both.entries()) {
    point.hidden = !has;
    if (!has) continue;
    const at = measure.points[i], mv = valueAt(view.signal, at), left = pixelOf(at);
    point.classList.toggle("outside", left < -1 || left > view.plot.over.clientWidth + 1);
    point.style.left = `${left}px`;
    point.style.setProperty("--y", `${mv === null ? 0 : view.plot.valToPos(mv, "y")}px`);
    point.setAttribute("aria-valuenow", at.toFixed(2));
    point.setAttribute("aria-valuemax", view.signal.seconds.toFixed(2));
    point.setAttribute("aria-valuetext", `${at.toFixed(2)} s, ${mv === null ? "no signal" : `${mv.toFixed(2)} mV`}; ${read().filter(Boolean).join(", ")}`);
  }
  if (has) {
    const [time, rate, voltage] = read();
    $("measured-time").textContent = time;
    $("measured-rate").textContent = rate || "–";
    $("measured-voltage").textContent = voltage || "–";
  }
}

function update() {
  place();
  redraw();
  tell("selection");
}

const both = [point(0), point(1)];

function set(i, seconds) {
  measure.points[i] = clamp(seconds, 0, view.signal.seconds);
  update();
}

function point(i) {
  const made = element("div", {
    id: `point-${i + 1}`, class: "point", hidden: true, tabIndex: 0, role: "slider", "aria-label": i ? "Second point" : "First point",
    "aria-valuemin": "0", "aria-valuemax": "0", "aria-valuenow": "0",
  }, element("i"));
  draggable(made, () => ({}), event => set(i, timeAt(event)));
  made.addEventListener("keydown", event => {
    const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!direction || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    set(i, measure.points[i] + direction * (event.shiftKey ? COARSE : FINE));
  });
  return made;
}

/** Whether a pointer on the strip measures: in this mode, or with Shift. */
export const measures = event => measure.isOn || event.shiftKey;

export function start() {
  on("rebuilt", plot => plot.over.append(...both));
  on("moved", place);
  on("selected", () => { measure.points = null; update(); });
  on("shown", () => measure.isOn && setMeasuring(true));
  mark(() => measure.points ? [{ ...selection() ?? { start: 0, end: -1 }, colour: "--selected" }] : []);
  draggable($("strip"), event => {
    if (!view.plot || !measures(event)) return null;
    measure.points = [timeAt(event), timeAt(event)];
    if (!measure.isOn) setMeasuring(true);
    update();
    return {};
  }, event => set(1, timeAt(event)));
  $("measure").addEventListener("click", () => setMeasuring(!measure.isOn));
}
