// The keys of the page, and the dialog that lists them.
import { $, element } from "./dom.js";
import { step as stepEpisode } from "./episodes.js";
import { toggle } from "./influence.js";
import { label, undo } from "./labelling.js";
import { step } from "./list.js";
import { measure, setMeasuring } from "./measure.js";
import { classes } from "./model.js";
import { all, move, paper, setGain, toStart, toEnd, view, zoom } from "./viewer.js";

// Key, what it says in the dialog, what it does. Keys of an ECG apply where there is one.
const OF_PAGE = [
  ["?", "Show this list", () => $("keys").showModal()],
  ["n", "Next recording", () => step(1)],
  ["p", "Previous recording", () => step(-1)],
  ["u", "Undo the last label", undo],
  ["o", "Open files", () => $("open").click()],
];
const OF_ECG = [
  ["ArrowLeft", "Move back", () => move(-0.5)],
  ["ArrowRight", "Move on", () => move(0.5)],
  ["Home", "To the start", toStart],
  ["End", "To the end", toEnd],
  ["+", "Zoom in", () => zoom(0.5)],
  ["-", "Zoom out", () => zoom(2)],
  ["ArrowUp", "Higher waves", () => setGain(1)],
  ["ArrowDown", "Lower waves", () => setGain(-1)],
  ["r", "25 mm/s", () => paper()],
  ["a", "The whole recording", all],
  ["m", "Measure, and select a stretch", () => setMeasuring(!measure.isOn)],
  ["s", "Shade the seconds that influenced the prediction most", toggle],
  ["e", "Next episode", () => stepEpisode(1)],
  ["E", "Previous episode", () => stepEpisode(-1)],
  ["Escape", "End measuring", () => setMeasuring(false)],
];
const SCROLLS = ["ArrowUp", "ArrowDown", "Home", "End"];  // of the ECG only while it has the focus: else the page scrolls
const SHOWN = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

function act(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const { target } = event, isText = target.closest("input, select, textarea");
  if (isText) return;
  const key = event.key === "=" ? "+" : event.key;
  if (key.length === 1 && key !== "?" && !$("letters").checked) return;  // as who speaks to the machine may want
  const found = OF_PAGE.find(([own]) => own === key) ?? (view.plot && OF_ECG.find(([own]) => own === key));
  if (found && !(SCROLLS.includes(key) && target !== $("strip"))) {
    event.preventDefault();
    found[2]();
  } else if (/^[1-9]$/.test(key)) label(Number(key));
}

function list(rows) {
  return rows.map(([key, says]) => element("div", {}, element("dt", {}, element("kbd", {}, SHOWN[key] ?? key)), element("dd", {}, says)));
}

export function start() {
  document.addEventListener("keydown", act);
  $("help").addEventListener("click", () => $("keys").showModal());
  $("keys").addEventListener("toggle", () => {
    const digits = classes.all.length > 1 ? [`1–${Math.min(classes.all.length, 9)}`, "Label the selected stretch, or the recording"] : null;
    $("keys-of-ecg").replaceChildren(...list(OF_ECG));
    $("keys-of-page").replaceChildren(...list([...(digits ? [digits] : []), ...OF_PAGE]));
  });
}

