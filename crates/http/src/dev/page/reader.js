// Shows the parts of one message: HTML in a frame that may do nothing, text, headers and source.

const PARTS = ["html", "text", "headers", "source"];
const RIGHT_TO_LEFT = new Set(["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

export const byId = (id) => document.getElementById(id);

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

export async function ask(url, options = {}) {
  const response = await fetch(url, { cache: "no-store", ...options });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response;
}

export const languageOf = (message) =>
  message.headers.find(([name]) => name.toLowerCase() === "content-language")?.[1] ?? "en";

export const directionOf = (language) =>
  RIGHT_TO_LEFT.has(language.toLowerCase().split("-")[0]) ? "rtl" : "ltr";

// A setting that is remembered where the browser lets us.
export function recall(name, otherwise) {
  try {
    return localStorage.getItem(`otpost-${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`otpost-${name}`, value);
  } catch {
    // Then not.
  }
}

export class Reader {
  #part = "html";
  #source = null;
  #shown = 0;

  constructor() {
    for (const name of PARTS) byId(`tab-${name}`).addEventListener("click", () => this.#turnTo(name));
    for (const button of document.querySelectorAll("[data-width]")) {
      button.addEventListener("click", () => this.#resize(button.dataset.width));
    }
    byId("tabs").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      this.turn(by);
    });
    this.#resize(recall("width", "desktop"));
    this.#turnTo(this.#part);
  }

  // `urls` has the addresses of the HTML part and of the source.
  show(message, urls) {
    const language = languageOf(message);
    for (const id of ["subject", "part-text"]) {
      byId(id).lang = language;
      byId(id).dir = directionOf(language);
    }
    byId("subject").textContent = message.subject;
    byId("part-text").textContent = message.text;
    byId("headers").replaceChildren(...message.headers.map(([name, value]) => {
      const row = document.createElement("tr");
      const head = element("th", "", name);
      head.scope = "row";
      const cell = element("td", "", value);
      cell.dir = "auto";
      row.append(head, cell);
      return row;
    }));
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "");
    frame.title = "HTML part of the message";
    frame.src = urls.html;
    byId("frame").replaceChildren(frame);
    byId("download").href = urls.source;
    this.#source = urls.source;
    this.#turnTo(this.#part);
  }

  // Goes `by` parts further.
  turn(by) {
    const hadFocus = document.activeElement?.getAttribute("role") === "tab";
    this.#turnTo(PARTS[(PARTS.indexOf(this.#part) + by + PARTS.length) % PARTS.length]);
    if (hadFocus) byId(`tab-${this.#part}`).focus();
  }

  otherWidth() {
    this.#resize(byId("frame").dataset.at === "phone" ? "desktop" : "phone");
  }

  #turnTo(part) {
    this.#part = part;
    for (const name of PARTS) {
      const isShown = name === part;
      byId(`part-${name}`).hidden = !isShown;
      byId(`tab-${name}`).setAttribute("aria-selected", String(isShown));
      byId(`tab-${name}`).tabIndex = isShown ? 0 : -1;
    }
    byId("widths").hidden = part !== "html";
    byId("download").hidden = part !== "source";
    if (part === "source" && this.#source) this.#showSource();
  }

  async #showSource() {
    const shown = ++this.#shown;
    const part = byId("part-source");
    let text;
    try {
      text = await (await ask(this.#source)).text();
    } catch {
      text = "The source cannot be had: the server is away, or the message is gone.";
    }
    if (shown === this.#shown) part.textContent = text;
  }

  #resize(width) {
    byId("frame").dataset.at = width;
    for (const button of document.querySelectorAll("[data-width]")) {
      button.setAttribute("aria-pressed", String(button.dataset.width === width));
    }
    remember("width", width);
  }
}

// Single keys are shortcuts unless they are switched off (WCAG 2.1.4) or mean something where the
// focus is. `actions` has a function of the event for every key.
export function onKeys(actions) {
  const toggle = byId("shortcuts");
  toggle.checked = recall("shortcuts", "on") === "on";
  toggle.addEventListener("change", () => remember("shortcuts", toggle.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (!toggle.checked || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = event.target;
    const isTyping = at.matches("input:not([type=checkbox]), select, textarea");
    const scrolls = at.closest("pre, [role=tabpanel], dialog");
    if (isTyping || (scrolls && event.key.startsWith("Arrow")) || at.closest("dialog")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
