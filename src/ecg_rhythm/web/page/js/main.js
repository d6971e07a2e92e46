// Starts the page: each module fills its own part of the document and listens to the others (`recordings.js`).
import * as answer from "./answer.js";
import { $ } from "./dom.js";
import * as episodes from "./episodes.js";
import * as exporting from "./export.js";
import * as files from "./files.js";
import * as hours from "./hours.js";
import * as influence from "./influence.js";
import * as keys from "./keys.js";
import * as labelling from "./labelling.js";
import * as list from "./list.js";
import * as measure from "./measure.js";
import { model } from "./model.js";
import * as overview from "./overview.js";
import * as printing from "./print.js";
import * as rates from "./rates.js";
import { on, tell } from "./recordings.js";
import * as review from "./review.js";
import * as viewer from "./viewer.js";

const DO = {
  start: viewer.toStart, back: () => viewer.move(-0.5), forward: () => viewer.move(0.5), end: viewer.toEnd, in: () => viewer.zoom(0.5),
  out: () => viewer.zoom(2), paper: () => viewer.paper(), all: viewer.all, higher: () => viewer.setGain(1), lower: () => viewer.setGain(-1),
};

on("problem", text => {
  $("problem").hidden = !text;
  $("problem-text").textContent = text;
});
$("problem-close").addEventListener("click", () => tell("problem", ""));
$("controls").addEventListener("click", event => DO[event.target.closest("button")?.dataset.do]?.());

for (const part of [list, answer, overview, rates, hours, episodes, influence, measure, labelling, exporting, printing, keys, files]) part.start();
viewer.makeMovable(measure.measures);
on("model", told => {
  tell("classes");
  const origins = [...new Set(told.models.map(one => one.origin).filter(Boolean))];
  $("model").textContent = `ecg-rhythm ${told.version}, model ${told.name} (${told.models.map(one => one.model_name).join(", ")})`;
  $("credit").textContent = origins.length ? `Trained on: ${origins.join("; ")}` : "";
  review.start().catch(problem => tell("problem", problem.message));
});
model().catch(problem => tell("problem", problem.message));
