// On paper, an ECG of up to a minute is drawn in rows at 25 mm/s and 10 mm/mV; of a longer one, what the strip shows.
import { $, element, styled } from "./dom.js";
import { refresh } from "./overview.js";
import { MM_PER_MV, MM_PER_SECOND, drawPaper } from "./paper.js";
import { on } from "./recordings.js";
import { points } from "./signals.js";
import { shownTime, view } from "./viewer.js";

const ROW_MM = 175, HEIGHT_MM = 30, PX_PER_MM = 8, LONGEST = 60;  // s
const SECONDS = ROW_MM / MM_PER_SECOND;

function row(from) {
  const { signal } = view, width = ROW_MM * PX_PER_MM, height = HEIGHT_MM * PX_PER_MM, half = HEIGHT_MM / MM_PER_MV / 2;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": `The ECG from ${shownTime(from)}` }), context = canvas.getContext("2d");
  const range = [signal.middle - half, signal.middle + half];
  const x = at => (at - from) / SECONDS * width, y = mv => (range[1] - mv) / (2 * half) * height;
  drawPaper(context, { left: 0, top: 0, width, height }, [from, from + SECONDS], range, x, y, 1);
  const [xs, ys] = points(signal, from, Math.min(from + SECONDS, signal.seconds), 8000);
  context.strokeStyle = styled("--trace");
  context.lineWidth = 2;
  context.beginPath();
  xs.forEach((at, i) => { if (ys[i] !== null) context[i && ys[i - 1] !== null ? "lineTo" : "moveTo"](x(at), y(ys[i])); });
  context.stroke();
  return element("figure", {}, canvas, element("figcaption", {}, shownTime(from)));
}

function draw() {
  document.documentElement.classList.add("printing");
  refresh();
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
    $("printed").replaceChildren();
  });
  on("selected", () => $("printed").replaceChildren());
}
