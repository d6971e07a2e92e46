// On paper, an ECG of up to a minute is drawn in rows at 25 mm/s and 10 mm/mV; of a longer one, what the strip shows.
import { $, element, styled } from "./dom.js";
import { refresh } from "./overview.js";
import { redraw as redrawRates } from "./rates.js";
import { MM_PER_MV, MM_PER_SECOND, drawPaper } from "./paper.js";
import { on } from "./recordings.js";
import { points } from "./signals.js";
import { shownTime, view } from "./viewer.js";

const ROW_MM = 175, PX_PER_MM = 8, LONGEST = 60;  // s
const LEAST_MV = 1.5, MOST_MV = 8;  // above and below the middle; more is cut off, which is said
const SECONDS = ROW_MM / MM_PER_SECOND;

/** The voltages of a row, as far as all of it is seen. */
function rangeOf(values, middle) {
  const away = sign => values.reduce((most, mv) => mv === null ? most : Math.max(most, sign * (mv - middle)), LEAST_MV);
  return [-1, 1].map(sign => middle + sign * Math.min(Math.ceil(2 * away(sign)) / 2, MOST_MV));
}

function row(from) {
  const { signal } = view, [xs, ys] = points(signal, from, Math.min(from + SECONDS, signal.seconds), 8000);
  const range = rangeOf(ys, signal.middle), width = ROW_MM * PX_PER_MM, height = (range[1] - range[0]) * MM_PER_MV * PX_PER_MM;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": `The ECG from ${shownTime(from)}` }), context = canvas.getContext("2d");
  const x = at => (at - from) / SECONDS * width, y = mv => (range[1] - mv) / (range[1] - range[0]) * height;
  drawPaper(context, { left: 0, top: 0, width, height }, [from, from + SECONDS], range, x, y, 1);
  context.strokeStyle = styled("--trace");
  context.lineWidth = 2;
  context.beginPath();
  xs.forEach((at, i) => { if (ys[i] !== null) context[i && ys[i - 1] !== null ? "lineTo" : "moveTo"](x(at), y(ys[i])); });
  context.stroke();
  const isCut = ys.some(mv => mv !== null && (mv < range[0] || mv > range[1]));
  return element("figure", {}, canvas, element("figcaption", {}, `${shownTime(from)}${isCut ? ", cut off above or below" : ""}`));
}

function draw() {
  document.documentElement.classList.add("printing");
  refresh();
  redrawRates();
  $("printed").replaceChildren();
  if (!view.signal) return;
  const isShort = view.signal.seconds <= LONGEST, from = isShort ? 0 : view.from;
  const to = isShort ? view.signal.seconds : Math.min(view.to, view.from + LONGEST);
  for (let at = from; at < to; at += SECONDS) $("printed").append(row(at));
  $("printed").append(element("p", {}, "25 mm/s, 10 mm/mV"));
}

export function start() {
  addEventListener("beforeprint", draw);
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    refresh();
    redrawRates();
    $("printed").replaceChildren();
  });
  on("selected", () => $("printed").replaceChildren());
}
