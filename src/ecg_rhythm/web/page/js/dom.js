// Short hands for the document.

export const $ = id => document.getElementById(id);

/** An element with properties (`class` among them), attributes (names with a dash, or `role`), and children. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** The value of a colour or length of the style sheet, such as `--ink`. */
export const styled = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** Say something to people who hear the page; those who see it see it elsewhere. */
export function announce(text) {
  if ($("announced").textContent !== text) $("announced").textContent = text;
}

/** Ask before something is lost; resolves to whether the person agrees. */
export function confirmed(question, yes) {
  const dialog = $("confirm");
  $("question").textContent = question;
  $("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise(resolve => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

/** Drag an element by pointer or touch: `begin(event)` gives what each `move(event, begun)` gets. */
export function draggable(target, begin, move, end = () => {}) {
  let begun = null;
  target.addEventListener("pointerdown", event => {
    if (event.button) return;
    begun = begin(event);
    if (begun === null) return;
    event.preventDefault();
    event.stopPropagation();
    target.focus({ preventScroll: true });
    target.setPointerCapture(event.pointerId);
  });
  target.addEventListener("pointermove", event => { if (begun !== null) move(event, begun); });
  for (const kind of ["pointerup", "pointercancel"]) target.addEventListener(kind, event => {
    if (begun !== null) end(event, begun);
    begun = null;
  });
}

/** Hand a file to the person. */
export function save(name, content, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
