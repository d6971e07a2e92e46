// Answers as files: of the recording that is shown, or of all.
import { picture } from "./api.js";
import { csvLine } from "./csv.js";
import { $, save } from "./dom.js";
import { ordered } from "./list.js";
import { model } from "./model.js";
import { again } from "./queue.js";
import { on, recordings, tell } from "./recordings.js";

/** An answer as `classify --json` prints it. */
function asJson({ path, record, answer: { why, ...answer } }) {
  return JSON.stringify({ file: path, ...answer, record });
}

const csv = async items => csvLine((await model()).columns) + items.map(item => item.row).join("");
const json = items => `[\n${items.map(asJson).join(",\n")}\n]\n`;

function episodesAsCsv({ episodes }) {
  return [Object.keys(episodes[0] ?? {}), ...episodes.map(Object.values)].map(csvLine).join("");
}

/** The server draws its own answer; if it has forgotten it, the recording is classified again. */
async function drawn(item, kind) {
  try { if (item.job) return await picture(item.job, kind); }
  catch (problem) { if (problem.status !== 404) throw problem; }
  await again(item);
  return picture(item.job, kind);
}

async function download(kind) {
  const item = recordings.current;
  tell("problem", "");
  try {
    if (kind === "csv") save(`${item.record}.csv`, await csv([item]), "text/csv");
    else if (kind === "json") save(`${item.record}.json`, json([item]), "application/json");
    else if (kind === "episodes") save(`${item.record} episodes.csv`, episodesAsCsv(item.answer), "text/csv");
    else if (kind === "print") print();
    else save(`${item.record}.${kind}`, await drawn(item, kind));
  } catch (problem) { tell("problem", problem.message); }
}

export function start() {
  $("downloads").addEventListener("click", event => { const kind = event.target.closest("button")?.dataset.get; if (kind) download(kind); });
  on("shown", item => {
    for (const button of $("downloads").querySelectorAll("button")) {
      button.hidden = button.dataset.get === "episodes" ? item.answer?.kind !== "timeline" : !item.answer && button.dataset.get !== "print";
    }
  });
  const answered = () => ordered().filter(item => item.answer);
  $("all-csv").addEventListener("click", async () => save("answers.csv", await csv(answered()), "text/csv"));
  $("all-json").addEventListener("click", () => save("answers.json", json(answered()), "application/json"));
}
