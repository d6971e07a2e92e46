// The seconds that influenced the prediction most: shaded on the ECG and listed, when the person asks for them.
import { $, element } from "./dom.js";
import { asked, enqueue, isBusy } from "./queue.js";
import { on, recordings } from "./recordings.js";
import { goTo, mark, redraw, shownTime } from "./viewer.js";

const applies = item => item?.answer?.kind === "prediction";

export function toggle() {
  if (!applies(recordings.current)) return;
  asked.why = !asked.why;
  askFor(recordings.current);
  update();
}

/** Finding them takes a prediction for each half second, so only what is looked at is asked for. */
function askFor(item) {
  if (asked.why && applies(item) && !item.answer.why && !isBusy(item)) enqueue([item], { first: true });
}

function update() {
  const item = recordings.current, why = asked.why && item?.answer?.why;
  $("shade").hidden = !applies(item);
  $("shade").setAttribute("aria-pressed", String(asked.why));
  $("influence").hidden = !(asked.why && applies(item));
  $("influence-none").textContent = why ? (why.stretches.length ? "" : "No part stands out.") : "Being computed …";
  $("stretches").replaceChildren(...(why ? why.stretches : []).map(([start, end]) => {
    const button = element("button", { type: "button", class: "chip" }, `${shownTime(start)} to ${shownTime(end)}`);
    button.addEventListener("click", () => goTo(start, end));
    return element("li", {}, button);
  }));
  redraw();
}

export function start() {
  mark(() => asked.why ? (recordings.current?.answer?.why?.stretches ?? []).map(([start, end]) => ({ start, end, colour: "--shade" })) : []);
  on("shown", () => { askFor(recordings.current); update(); });
  on("selected", update);
  $("shade").addEventListener("click", toggle);
}
