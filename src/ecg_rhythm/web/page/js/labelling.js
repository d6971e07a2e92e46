// The panel where labels are given, listed, undone and saved.
import { $, announce, confirmed, element, save } from "./dom.js";
import { clock, colourOf, title } from "./format.js";
import * as labels from "./labels.js";
import { clearSelection, selection } from "./measure.js";
import { classes } from "./model.js";
import { on, recordings } from "./recordings.js";
import { goTo, mark, redraw, view } from "./viewer.js";

const stretch = ({ start, end }) => start === null ? "Whole recording" : `${clock(start)} to ${clock(end)}`;

/** Give the recording that is shown, or what is selected of it, the class of a number (from 1). */
export function label(number) {
  const name = classes.all[number - 1], item = recordings.current, part = selection();
  if (!name || !item || !view.signal) return;  // only what is seen is labelled
  labels.give(item, name, view.signal?.seconds, part ?? undefined);
  announce(`${part ? stretch(part) : item.name}: labelled ${title(name)}`);
  if (part) clearSelection();
}

export function undo() {
  if (labels.undo()) announce("The last change of labels is undone.");
}

function showClasses() {
  $("classes").replaceChildren(...classes.all.map((name, i) => {
    const button = element("button", { type: "button", class: "class", "aria-pressed": "false", "aria-keyshortcuts": String(i + 1) },
      element("kbd", {}, String(i + 1)), element("span", {}, title(name)));
    button.dataset.label = name;
    button.style.setProperty("--class", `var(${colourOf(name)})`);
    button.addEventListener("click", () => label(i + 1));
    return button;
  }));
}

function update() {
  const item = recordings.current, part = selection(), own = labels.labelsOf(item), whole = labels.wholeLabel(item);
  if ($("classes").childElementCount !== classes.all.length) showClasses();
  for (const button of $("classes").children) button.setAttribute("aria-pressed", String(!part && button.dataset.label === whole));
  $("label-what").textContent = part ? `Label of the selected stretch, ${stretch(part)}` : "Label of the whole recording";
  $("given").replaceChildren(...own.map(one => {
    const swatch = element("i", { class: "swatch" }), text = `${stretch(one)}: ${title(one.label)}`;
    swatch.style.background = `var(${colourOf(one.label)})`;
    const go = element("button", { type: "button", class: "plain", disabled: one.start === null }, swatch, text);
    go.addEventListener("click", () => goTo(one.start, one.end));
    const remove = element("button", { type: "button", class: "icon", title: "Remove", "aria-label": `Remove the label: ${text}` }, "\u00d7");
    remove.addEventListener("click", () => { labels.remove(item, one); $("label-what").focus(); });
    return element("li", {}, go, remove);
  }));
  const count = labels.count(), many = labels.countRecordings();
  const all = `${count} label${count > 1 ? "s" : ""} of ${many} recording${many > 1 ? "s" : ""}`;
  $("labels-count").textContent = count ? `${all}, ${labels.areKept() ? "kept in this browser" : "not kept: save them as CSV"}`
    : "No labels yet. Select a stretch with Measure, or label the whole recording.";
  $("undo").disabled = !labels.canUndo();
  $("save-labels").disabled = $("clear-labels").disabled = !count;
  $("kept").hidden = !count || recordings.all.length > 0;
  $("kept-text").textContent = `This browser keeps ${all}. Open the same files to go on.`;
  redraw();
}

const saveLabels = () => save("labels.csv", labels.labelsAsCsv(), "text/csv");

async function clear() {
  if (await confirmed("Remove all labels from this browser? Those that you have not saved as CSV are lost.", "Remove labels")) labels.clearLabels();
}

/** Take labels from the text of a CSV. */
export function restore(text) {
  const count = labels.readLabels(text);
  announce(`${count} labels were read.`);
}

export function start() {
  labels.start();
  mark(labels.labelBands);
  for (const what of ["labelled", "selection", "selected", "shown", "added", "removed", "classes"]) on(what, update);
  on("added", labels.adopt);
  on("classes", showClasses);
  $("undo").addEventListener("click", undo);
  for (const id of ["save-labels", "kept-save"]) $(id).addEventListener("click", saveLabels);
  for (const id of ["clear-labels", "kept-clear"]) $(id).addEventListener("click", clear);
  update();
}
