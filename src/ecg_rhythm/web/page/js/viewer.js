// The strip: the ECG on paper. Pointer, touch, wheel, keys and buttons move and zoom it.
import { $, clamp, styled } from "./dom.js";
import { clock, midnight, timeOfDay } from "./format.js";
import { MM_PER_SECOND, drawPaper } from "./paper.js";
import { points } from "./signals.js";
import { tell } from "./recordings.js";

const { uPlot } = window;
const MOST_POINTS = 4000, SHORTEST = 0.2;  // s
const GAINS = [2.5, 5, 10, 20, 40];  // mm/mV
const HEIGHT_MM = 50, AXIS_X = 28, AXIS_Y = 48, BAND = 6, LABEL_PX = 56;  // px but for the first
export const STEPS = [0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 21600];  // s between labels

/** What is shown: a signal from `from` to `to` s. `began` is when it was recorded, in s since midnight. */
export const view = { signal: null, from: 0, to: 0, gain: 10, began: null, plot: null };

/** A time of the recording as all show it: by the clock where it is known, else from the beginning. */
export const shownTime = seconds => view.began === null ? clock(seconds) : timeOfDay(view.began + seconds);

/** The same of a whole minute; 0:01 from the beginning could be a second. */
export const shownMinute = seconds => view.began === null ? clock(seconds) : shownTime(seconds).replace(/:00$/, "");

const marks = [];  // functions that give what is marked behind the ECG: { start, end, colour, band }

/** Let a module mark parts of the ECG: a shade of the whole height, or a band at the "top" or "bottom". */
export const mark = give => marks.push(give);

const strip = () => $("strip");
const pxPerMm = () => clamp(Math.round(strip().clientWidth / 180), 4, 6);
const plotWidth = () => Math.max(strip().clientWidth - AXIS_Y, 50);
const paperSeconds = () => plotWidth() / (pxPerMm() * MM_PER_SECOND);
const heightInMv = () => HEIGHT_MM / view.gain;

/** Show a signal from its start, at paper speed; null shows nothing. */
export function load(signal, startTime) {
  view.plot?.destroy();
  view.plot = null;
  view.signal = signal;
  view.began = midnight(startTime);
  if (!signal) return;
  view.from = view.to = 0;
  build();
  paper(0);
}

function build() {
  view.plot?.destroy();
  const text = styled("--soft"), none = { show: false };
  const axis = { stroke: text, font: `12px ${getComputedStyle(document.body).fontFamily}`, grid: none, ticks: { stroke: text, size: 4 } };
  const times = (_, at, __, ___, step) => at.map(s => isNearEnd(s) ? "" : timeLabel(s, step));
  view.plot = new uPlot({
    width: strip().clientWidth, height: HEIGHT_MM * pxPerMm() + AXIS_X, padding: [0, 0, 0, 0], legend: none, cursor: none,
    scales: { x: { time: false, auto: false }, y: { auto: false, range } },
    axes: [
      { ...axis, size: AXIS_X, space: 76, incrs: STEPS, values: times },
      { ...axis, size: AXIS_Y, space: 30, incrs: [0.1, 0.5, 1, 2, 5], values: voltageLabels },
    ],
    series: [{}, { stroke: styled("--trace"), width: 1.4, points: none, spanGaps: false }],
    hooks: { drawClear: [drawBehind] },
  }, [[], []], strip());
  tell("rebuilt", view.plot);
  if (view.to) show(view.from, view.to);
}

/** Lowest and highest voltage: zero is shown, too, unless the signal is far from it. */
function range() {
  const half = heightInMv() / 2, own = view.signal?.middle ?? 0, middle = Math.abs(own) < half / 3 ? 0 : Math.round(2 * own) / 2;
  return [middle - half, middle + half];
}

/** Labels of voltages; the highest has the unit. Those at the edges would be cut off. */
function voltageLabels(_, at) {
  const [low, high] = range(), edge = (high - low) / 30, inside = at.filter(mv => mv > low + edge && mv < high - edge);
  return at.map(mv => !inside.includes(mv) ? "" : `${Number(mv.toFixed(1))}${mv === inside.at(-1) ? " mV" : ""}`);
}

const isNearEnd = seconds => (view.to - seconds) / (view.to - view.from) * plotWidth() < LABEL_PX / 2;

function timeLabel(seconds, step) {
  if (view.began !== null) return timeOfDay(view.began + seconds, step < 1 ? 1 : 0);
  return step >= 60 || seconds >= 3600 ? clock(seconds) : `${Number(seconds.toFixed(1))} s`;
}

function drawBehind(plot) {
  if (plot !== view.plot) return;  // of a recording that is closed; its last drawing was under way
  const { ctx, bbox } = plot, x = at => plot.valToPos(at, "x", true), y = at => plot.valToPos(at, "y", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  drawPaper(ctx, bbox, [view.from, view.to], range(), x, y, devicePixelRatio);
  for (const { start, end, colour, band } of marks.flatMap(give => give())) {
    if (end < view.from || start > view.to) continue;
    const height = band ? BAND * devicePixelRatio : bbox.height, top = band === "bottom" ? bbox.top + bbox.height - height : bbox.top;
    ctx.fillStyle = styled(colour);
    ctx.fillRect(x(start), top, Math.max(x(end) - x(start), 2), height);
  }
  ctx.restore();
}

/** Draw again, as marks or colours have changed. */
export const redraw = () => view.plot?.redraw(false);

/** Show the ECG between two times, as far as there is one. */
export function show(from, to) {
  if (!view.plot) return;
  const { seconds } = view.signal, length = clamp(to - from, SHORTEST, Math.max(seconds, paperSeconds()));
  view.from = Math.max(0, Math.min(from, seconds - length));
  view.to = view.from + length;
  view.plot.batch(() => {
    view.plot.setData(points(view.signal, view.from, view.to, MOST_POINTS), false);
    view.plot.setScale("x", { min: view.from, max: view.to });
  });
  $("where").textContent = `${shownTime(view.from)} to ${shownTime(Math.min(view.to, seconds))}`;
  tell("moved");
}

/** Show a time with what is before and behind it, without changing the zoom unless all is shown. */
export function goTo(start, end = start) {
  const length = Math.min(view.to - view.from, Math.max(paperSeconds(), 1.2 * (end - start)));
  if (end - start < length) show((start + end - length) / 2, (start + end + length) / 2);
  else paper(start);
}

export function zoom(factor, at = (view.from + view.to) / 2) {
  show(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

/** Move by a part of what is shown. */
export function move(part) {
  const by = part * (view.to - view.from);
  show(view.from + by, view.to + by);
}

/** 25 mm/s, from a time on. */
export const paper = (at = view.from) => show(at, at + paperSeconds());
export const all = () => show(0, view.signal.seconds);
export const toStart = () => show(0, view.to - view.from);
export const toEnd = () => show(view.signal.seconds - view.to + view.from, view.signal.seconds);

export function setGain(steps) {
  const at = clamp(GAINS.indexOf(view.gain) + steps, 0, GAINS.length - 1);
  view.gain = GAINS[at];
  $("gain").textContent = `${view.gain} mm/mV`;
  if (view.plot) show(view.from, view.to);
}

/** The time under a pointer. */
export const timeAt = event => clamp(view.plot.posToVal(event.clientX - view.plot.over.getBoundingClientRect().left, "x"), 0, view.signal.seconds);

/** Where a time is in the strip, in px from the left of the plot. */
export const pixelOf = seconds => view.plot.valToPos(seconds, "x");

/** `isMeasuring(event)` says whether a pointer measures instead of moving the strip. */
export function makeMovable(isMeasuring) {
  const pointers = new Map();
  let begun = null;
  const begin = () => {
    const places = [...pointers.values()];
    const middle = places.reduce((sum, x) => sum + x, 0) / places.length;
    begun = { from: view.from, to: view.to, middle, spread: Math.abs(places[0] - places.at(-1)) };
  };
  strip().addEventListener("pointerdown", event => {
    if (event.button || !view.plot || isMeasuring(event)) return;
    strip().setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.clientX);
    begin();
  });
  strip().addEventListener("pointermove", event => {
    if (!pointers.has(event.pointerId)) return;
    pointers.set(event.pointerId, event.clientX);
    const places = [...pointers.values()], middle = places.reduce((sum, x) => sum + x, 0) / places.length;
    const length = begun.to - begun.from, left = view.plot.over.getBoundingClientRect().left;
    const factor = begun.spread > 20 ? begun.spread / Math.max(Math.abs(places[0] - places.at(-1)), 20) : 1;
    const at = begun.from + (begun.middle - left) / plotWidth() * length;  // stays under the fingers
    const from = at - (middle - left) / plotWidth() * length * factor;
    show(from, from + length * factor);
  });
  for (const kind of ["pointerup", "pointercancel"]) strip().addEventListener(kind, event => {
    if (pointers.delete(event.pointerId) && pointers.size) begin();
  });
  strip().addEventListener("wheel", event => {
    if (!view.plot) return;
    if (event.ctrlKey || event.altKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event));
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) move((event.deltaX || event.deltaY) / plotWidth());
    else return;  // the page scrolls
    event.preventDefault();
  }, { passive: false });
  let width = 0;
  new ResizeObserver(() => {
    if (!view.plot || !strip().clientWidth || strip().clientWidth === width) return;
    const isPaper = width && Math.abs(view.to - view.from - (width - AXIS_Y) / (pxPerMm() * MM_PER_SECOND)) < 0.05;
    width = strip().clientWidth;
    build();
    if (isPaper) paper();
  }).observe(strip());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => view.plot && build());
}
