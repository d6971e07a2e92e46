// The whole recording, with a brush over the part that the strip shows. The brush is moved and resized by pointer, touch
// and keyboard.
import { $, clamp, draggable, element, styled } from "./dom.js";
import { clock, colourOf, title } from "./format.js";
import { labelBands } from "./labels.js";
import { on, recordings } from "./recordings.js";
import { points } from "./signals.js";
import { show, shownMinute, shownTime, STEPS, view } from "./viewer.js";

const LEAST_WIDTH = 10, NARROW = 90, BAND = 7, TIMES = 18, APART = 90;  // px
const PALE = 0.22, HANDLE = 0.05, SPREAD = 0.02;  // opacity; part of the window; values that are cut off
let drawnFor = "";

const track = () => $("overview");
const perPixel = () => view.signal.seconds / track().clientWidth;
const timeAt = event => (event.clientX - track().getBoundingClientRect().left) * perPixel();

/** Draw the whole recording: its rhythms as colours, its lowest and highest values as a line. */
function draw() {
  const canvas = $("overview-canvas"), ratio = devicePixelRatio;
  const width = canvas.width = Math.round(canvas.clientWidth * ratio), height = canvas.height = Math.round(canvas.clientHeight * ratio);
  const paper = canvas.getContext("2d"), { signal } = view, scale = width / signal.seconds, bottom = height - TIMES * ratio;
  const episodes = recordings.current?.answer?.episodes ?? [];
  for (const { label, start, end } of episodes) {
    const left = start * scale, size = Math.max((end - start) * scale, ratio);
    paper.fillStyle = styled(colourOf(label));
    paper.globalAlpha = PALE;
    paper.fillRect(left, 0, size, bottom);
    paper.globalAlpha = 1;
    paper.fillRect(left, 0, size, BAND * ratio);
  }
  for (const { start, end, colour } of labelBands()) {
    paper.fillStyle = styled(colour);
    paper.fillRect(start * scale, bottom - BAND * ratio, Math.max((end - start) * scale, 2 * ratio), BAND * ratio);
  }
  drawTimes(paper, width, height, ratio);
  const [xs, ys] = points(signal, 0, signal.seconds, 2 * width), sorted = ys.filter(mv => mv !== null).sort((a, b) => a - b);
  const low = sorted[Math.floor(SPREAD * sorted.length)] ?? -1, high = sorted[Math.floor((1 - SPREAD) * sorted.length)] ?? 1;
  const span = 1.6 * Math.max(high - low, 0.2), middle = (low + high) / 2;
  paper.strokeStyle = styled("--trace");
  paper.lineWidth = ratio;
  paper.globalAlpha = 0.7;
  paper.beginPath();
  let isOn = false;
  xs.forEach((x, i) => {
    if (ys[i] === null) { isOn = false; return; }
    const at = [x * scale, clamp((0.5 - (ys[i] - middle) / span) * bottom, 0, bottom)];
    if (isOn) paper.lineTo(...at);
    else paper.moveTo(...at);
    isOn = true;
  });
  paper.stroke();
}

/** Times at the bottom, at round seconds of the recording or of the clock. */
function drawTimes(paper, width, height, ratio) {
  const { signal: { seconds }, began } = view, step = STEPS.find(one => one / seconds * width >= APART * ratio) ?? STEPS.at(-1);
  const first = began === null ? step : Math.ceil(began / step) * step - began;
  paper.fillStyle = styled("--soft");
  paper.font = `${11 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
  paper.textAlign = "center";
  paper.textBaseline = "bottom";
  for (let time = first; time < seconds; time += step) {
    const x = time / seconds * width, text = step >= 60 ? shownMinute(time) : shownTime(time);
    if (x < APART * ratio / 3 || x > width - APART * ratio / 3) continue;
    paper.fillRect(x, height - TIMES * ratio, ratio, 3 * ratio);
    paper.fillText(text, x, height - ratio);
  }
}

/** Put the brush where the strip is. */
function place() {
  if (!view.signal) return;
  const whole = view.signal.seconds, to = Math.min(view.to, whole), width = track().clientWidth;
  const size = Math.max((to - view.from) / perPixel(), LEAST_WIDTH), left = Math.min(view.from / perPixel(), width - size);
  track().classList.toggle("narrow", size < NARROW);
  $("brush").style.left = `${left}px`;
  $("brush").style.width = `${size}px`;
  $("brush-from").style.left = `${left}px`;
  $("brush-to").style.left = `${left + size}px`;
  for (const [id, value, text] of [
    ["brush", view.from, `${shownTime(view.from)} to ${shownTime(to)} of ${clock(whole)}`], ["brush-from", view.from, shownTime(view.from)], ["brush-to", to, shownTime(to)],
  ]) {
    $(id).setAttribute("aria-valuenow", value.toFixed(1));
    $(id).setAttribute("aria-valuemax", whole.toFixed(1));
    $(id).setAttribute("aria-valuetext", text);
  }
}

/** The colours of the rhythms, where there are some. */
function explain() {
  const answer = recordings.current?.answer;
  const labels = answer?.kind === "timeline" ? [...new Set([...answer.classes, "~"])] : [];
  $("legend").replaceChildren(...labels.map(label => {
    const swatch = element("i", { class: "swatch" });
    swatch.style.background = `var(${colourOf(label)})`;
    return element("li", {}, swatch, label === "~" && !answer.classes.includes("~") ? "Unreadable" : title(label));
  }));
}

export function refresh() {
  drawnFor = "";
  update();
}

function update() {
  if (!view.signal || !track().clientWidth) return;
  const now = [recordings.current?.id, track().clientWidth, devicePixelRatio, view.signal.seconds].join();
  if (now !== drawnFor) {
    draw();
    explain();
    drawnFor = now;
  }
  place();
}

const length = () => view.to - view.from;
const KEYS = {
  brush: {
    ArrowLeft: () => show(view.from - length() / 10, view.to - length() / 10), ArrowRight: () => show(view.from + length() / 10, view.to + length() / 10),
    PageDown: () => show(view.from - length(), view.to - length()), PageUp: () => show(view.from + length(), view.to + length()),
    Home: () => show(0, length()), End: () => show(view.signal.seconds - length(), view.signal.seconds),
  },
  "brush-from": {
    ArrowLeft: () => show(Math.max(view.from - HANDLE * length(), 0), view.to), ArrowRight: () => show(view.from + HANDLE * length(), view.to),
    Home: () => show(0, view.to),
  },
  "brush-to": {
    ArrowLeft: () => show(view.from, view.to - HANDLE * length()), ArrowRight: () => show(view.from, Math.min(view.to + HANDLE * length(), view.signal.seconds)),
    End: () => show(view.from, view.signal.seconds),
  },
};

export function start() {
  const begin = event => view.signal && { at: timeAt(event), from: view.from, to: view.to };
  const drag = {
    brush: (by, { from, to }) => show(from + by, to + by),
    "brush-from": (by, { from, to }) => { const at = clamp(from + by, 0, to - 0.2); show(at, to); },
    "brush-to": (by, { from, to }) => show(from, clamp(to + by, from + 0.2, view.signal.seconds)),
  };
  for (const [id, move] of Object.entries(drag)) {
    draggable($(id), begin, (event, begun) => move(timeAt(event) - begun.at, begun));
    $(id).addEventListener("keydown", event => {
      const act = KEYS[id][{ ArrowDown: "ArrowLeft", ArrowUp: "ArrowRight" }[event.key] ?? event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }
  // Beside the brush, a pointer takes it there.
  draggable($("overview-canvas"), event => {
    if (!view.signal) return null;
    const half = length() / 2, middle = timeAt(event);
    show(middle - half, middle + half);
    return begin(event);
  }, (event, begun) => drag.brush(timeAt(event) - begun.at, begun));
  on("moved", update);
  on("labelled", refresh);
  new ResizeObserver(update).observe(track());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
}
