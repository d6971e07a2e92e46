// Requests to the server that gave the page, and what it refuses.

const TOO_MANY = 429, BUSY = [TOO_MANY, 503], PATIENCE = 5, OFTEN = 150, SELDOM = 1000;  // ms between two questions, the first and later ones
const ATTEMPTS = 5, FORGOTTEN = 2000;  // ms before a further attempt

/** Wait some ms, or until somebody gives up. */
function pause(ms, stop) {
  return new Promise((resolve, reject) => {
    const end = () => { clearTimeout(timer); reject(stop.reason); };
    const timer = setTimeout(() => { stop?.removeEventListener("abort", end); resolve(); }, ms);
    stop?.addEventListener("abort", end, { once: true });
  });
}

/** After how many s to come again, as a server or a proxy says; 0 if not at all. */
function laterOf(response) {
  const said = response.headers.get("Retry-After"), date = Date.parse(said ?? "");
  return Number(said) || Math.max((date - Date.now()) / 1000, 0) || (response.status === TOO_MANY ? 2 : 0);
}

/** Ask the server; a refusal becomes an error with the server's sentence and status. */
export async function ask(what, options = {}) {
  let response;
  try { response = await fetch(`/api/${what}`, options); }
  catch (problem) {
    options.signal?.throwIfAborted();
    throw new Error("The server does not answer; check that it is running.", { cause: problem });
  }
  if (response.ok) return response;
  const refusal = await response.json().catch(() => ({}));
  const says = typeof refusal.error === "string" ? refusal.error : `The server refused this (status ${response.status}).`;
  const later = BUSY.includes(response.status) ? laterOf(response) : 0;
  throw Object.assign(new Error(says), { status: response.status, later });
}

/** As `ask`, but where the server has too much to do, come again when it says. */
async function insist(what, options, busy = () => {}) {
  for (;;) {
    try { return await ask(what, options); }
    catch (problem) {
      if (!problem.later) throw problem;
      busy();
      await pause(1000 * problem.later, options.signal);
    }
  }
}

/** The request that sends a recording's files: one is the body; several are the parts of a form. */
function upload(recording, signal) {
  const [first, ...others] = recording.files;
  if (!others.length && !first.size) throw new Error("This file is empty; get a new copy.");
  if (!others.length) return { method: "POST", body: first, headers: { "Content-Type": "application/octet-stream" }, signal };
  const form = new FormData();
  for (const file of recording.files) form.append("files", file);
  return { method: "POST", body: form, signal };
}

const LONGEST_NAME = 100;

function query(recording, more = {}) {
  return new URLSearchParams({ name: recording.path.slice(-LONGEST_NAME), ...recording.options, ...more });
}

/**
 * Classify a recording as a job; `progress(job)` is told how far it is, `busy()` that the server has too much to do.
 * Gives the answer and the job's id.
 */
export async function classified(recording, more, stop, progress, busy) {
  for (let attempt = 1; ; attempt++) {
    try { return await classifiedOnce(recording, more, stop, progress, busy); }
    catch (problem) { if (problem.status !== 404 || attempt === ATTEMPTS) throw problem; }
    // The server forgot it, for newer ones; so that two pages do not push out each other's jobs, they come at other times.
    await pause(FORGOTTEN * (attempt - 1) * Math.random(), stop);
  }
}

async function classifiedOnce(recording, more, stop, progress, busy) {
  const begun = await (await insist(`jobs?${query(recording, more)}`, upload(recording, stop), busy)).json();
  const forget = () => discard([begun.id]);
  stop.addEventListener("abort", forget, { once: true });
  stop.throwIfAborted();
  for (let wait = OFTEN, failed = 0; ; wait = Math.min(1.5 * wait, SELDOM)) {
    await pause(wait, stop);
    try {
      const job = await (await ask(`jobs/${begun.id}`, { signal: stop })).json();
      failed = 0;
      if (job.state === "done" || job.state === "failed") break;
      progress(job);
    } catch (problem) { if (stop.aborted || problem.status || ++failed === PATIENCE) throw problem; }
  }
  const answer = await (await ask(`jobs/${begun.id}/result`, { signal: stop })).json();
  stop.removeEventListener("abort", forget);
  return { answer, job: begun.id };
}

/** The signal of a recording alone, which is much faster than an answer. */
export async function signalOf(recording, stop) {
  if (recording.review !== null) return (await ask(`review/${recording.review}`, { signal: stop })).json();
  return { signal: await (await insist(`signal?${query(recording)}`, upload(recording, stop))).json() };
}

/** The server's drawing of an answer that it has. */
export const picture = async (job, kind) => (await insist(`jobs/${job}/picture?kind=${kind}`, {})).blob();

/** Let the server forget jobs, also when the page is being closed. */
export function discard(jobs) {
  for (const job of jobs) fetch(`/api/jobs/${job}`, { method: "DELETE", keepalive: true }).catch(() => {});
}
