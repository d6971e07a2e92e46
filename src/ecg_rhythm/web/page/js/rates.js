// The heart rate of a long recording: its trend, minute by minute, and its pauses.
import { $, element, styled } from "./dom.js";
import { on, recordings } from "./recordings.js";
import { goTo, shownMinute, shownTime, STEPS, view } from "./viewer.js";

const { uPlot } = window;
const HEIGHT = 110, AXIS_X = 26, AXIS_Y = 48, LABEL = 40;  // px
const MARGIN = 5, MOST_PAUSES = 12;  // beats/min; the longest pauses
let plot = null;

const rates = () => recordings.current?.answer?.rates;
const perMinute = rate => rate === null ? "unknown" : `${rate.toFixed(0)} beats/min`;

function range(_, low, high) {
  return low === null ? [40, 120] : [Math.floor((low - MARGIN) / 10) * 10, Math.ceil((high + MARGIN) / 10) * 10];
}

/** Draw the trend, in the colours of the screen or of paper. */
export function redraw() {
  plot?.destroy();
  plot = null;
  const width = $("rate-trend").clientWidth;
  if (!rates() || !view.signal || !width) return;
  const text = styled("--soft"), font = `12px ${getComputedStyle(document.body).fontFamily}`, none = { show: false };
  const axis = { stroke: text, font, grid: { stroke: styled("--line"), width: 1 }, ticks: none };
  const { minutes } = rates(), { seconds } = view.signal;
  const isNearEnd = time => (seconds - time) / seconds * (width - AXIS_Y) < LABEL / 2;
  const times = (_, steps) => steps.map(time => isNearEnd(time) ? "" : shownMinute(time));
  plot = new uPlot({
    width, height: HEIGHT, padding: [8, 0, 0, 0], legend: none, cursor: none,
    scales: { x: { time: false, range: () => [0, seconds] }, y: { range } },
    axes: [{ ...axis, size: AXIS_X, space: 76, incrs: STEPS, values: times }, { ...axis, size: AXIS_Y, space: 26 }],
    series: [{}, { stroke: styled("--accent"), width: 1.5, points: none, spanGaps: false }],
  }, [minutes.map((_, i) => Math.min(60 * i + 30, seconds)), minutes], $("rate-trend"));
}

function update() {
  const found = rates();
  $("rates").hidden = !found;
  if (!found) return redraw();
  $("rates-counted").textContent = `counted in ${(100 * found.counted).toFixed(0)} % of the recording`;
  const words = `Heart rate, minute by minute: mean ${perMinute(found.mean)}, lowest ${perMinute(found.lowest)}, highest ${perMinute(found.highest)}`;
  $("rate-trend").setAttribute("aria-label", words);
  const longest = found.pauses.toSorted((a, b) => b.seconds - a.seconds).slice(0, MOST_PAUSES).sort((a, b) => a.start - b.start);
  $("pauses-title").hidden = !longest.length;
  $("pauses-title").textContent = longest.length < found.pauses.length ? `Longest ${longest.length} of ${found.pauses.length} pauses of 2.5 to 10 s` : "Pauses of 2.5 to 10 s";
  $("pauses").replaceChildren(...longest.map(({ start, seconds }) => {
    const button = element("button", { type: "button" }, `${shownTime(start)}, ${seconds.toFixed(1)} s`);
    button.addEventListener("click", () => goTo(start, start + seconds));
    return element("li", {}, button);
  }));
  redraw();
}

export function start() {
  on("shown", update);
  $("rate-trend").addEventListener("click", event => plot && goTo(plot.posToVal(event.clientX - plot.over.getBoundingClientRect().left, "x")));
  let width = 0;
  new ResizeObserver(() => {
    if (width === $("rate-trend").clientWidth) return;
    width = $("rate-trend").clientWidth;
    redraw();
  }).observe($("rate-trend"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
