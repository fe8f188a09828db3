// The inbox page: keeps a list of the captured messages and shows one of them.
"use strict";

const MESSAGES = "/dev/inbox/messages";
const REVISION = "/dev/inbox/revision";
const PARTS = ["html", "text", "headers", "source"];

const byId = (id) => document.getElementById(id);
const state = { messages: [], current: null, part: "html", known: null };

function visible() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return state.messages.filter((message) => {
    const text = `${message.to} ${message.subject} ${message.template}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function clockTime(iso) {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? at.toLocaleTimeString() : at.toLocaleDateString();
}

function item(message) {
  const button = element("button", "item", "");
  button.type = "button";
  button.dataset.id = message.id;
  button.append(
    element("span", "to", message.to),
    element("span", "when", clockTime(message.received_at)),
    element("span", "subject", message.subject),
    element("span", "kind", message.template),
  );
  if (message.id === state.current) button.setAttribute("aria-current", "true");
  if (state.known && !state.known.has(message.id)) button.classList.add("new");
  button.addEventListener("click", () => select(message.id));
  const row = document.createElement("li");
  row.append(button);
  return row;
}

function showList() {
  const shown = visible();
  const focused = document.activeElement?.dataset?.id;
  byId("list").replaceChildren(...shown.map(item));
  if (focused) buttonOf(focused)?.focus();
  const isEmpty = state.messages.length === 0;
  byId("none").hidden = isEmpty || shown.length > 0;
  byId("empty").hidden = !isEmpty;
  byId("clear").disabled = isEmpty;
  document.title = isEmpty ? "Inbox · otpost dev" : `(${state.messages.length}) Inbox · otpost dev`;
}

function filter() {
  showList();
  const shown = visible();
  if (shown.length > 0 && !shown.includes(current())) select(shown[0].id);
}

function buttonOf(id) {
  return [...byId("list").querySelectorAll("button")].find((button) => button.dataset.id === id);
}

function current() {
  return state.messages.find((message) => message.id === state.current);
}

function select(id) {
  if (id === state.current) return;
  state.current = id;
  for (const button of byId("list").querySelectorAll("button")) {
    if (button.dataset.id === id) {
      button.setAttribute("aria-current", "true");
      button.scrollIntoView({ block: "nearest" });
    } else {
      button.removeAttribute("aria-current");
    }
  }
  showMessage();
}

function showMessage() {
  const message = current();
  byId("message").hidden = !message;
  if (!message) return;
  byId("subject").textContent = message.subject;
  byId("to").textContent = message.to;
  byId("template").textContent = message.template;
  byId("session").textContent = message.session_id;
  byId("received").dateTime = message.received_at;
  byId("received").textContent = new Date(message.received_at).toLocaleString();
  byId("code").textContent = message.code;
  sayCopied(false);
  byId("part-text").textContent = message.text;
  byId("part-source").textContent = message.html;
  byId("headers").replaceChildren(...message.headers.map(([name, value]) => {
    const row = document.createElement("tr");
    const head = element("th", "", name);
    head.scope = "row";
    row.append(head, element("td", "", value));
    return row;
  }));
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "");
  frame.title = "HTML part of the message";
  frame.src = `${MESSAGES}/${encodeURIComponent(message.id)}/html`;
  byId("part-html").replaceChildren(frame);
  showPart(state.part);
}

function showPart(part) {
  state.part = part;
  for (const name of PARTS) {
    const isShown = name === part;
    byId(`part-${name}`).hidden = !isShown;
    byId(`tab-${name}`).setAttribute("aria-selected", String(isShown));
    byId(`tab-${name}`).tabIndex = isShown ? 0 : -1;
  }
}

function sayCopied(isDone) {
  byId("copy").classList.toggle("done", isDone);
  const copied = byId("copied");
  if (isDone) copied.textContent = "Copied";
  else copied.replaceChildren("Copy ", element("kbd", "", "c"));
}

async function copyCode() {
  const message = current();
  if (!message) return;
  try {
    await navigator.clipboard.writeText(message.code);
    sayCopied(true);
    setTimeout(() => sayCopied(false), 1600);
  } catch {
    // A page that is not from this machine has no clipboard: select the code instead.
    getSelection().selectAllChildren(byId("code"));
  }
}

function step(by) {
  const shown = visible();
  if (shown.length === 0) return;
  const place = shown.findIndex((message) => message.id === state.current);
  const next = Math.min(Math.max(place + by, 0), shown.length - 1);
  select(shown[next].id);
  buttonOf(shown[next].id)?.focus();
}

function turn(by) {
  const part = PARTS[(PARTS.indexOf(state.part) + by + PARTS.length) % PARTS.length];
  const hadFocus = document.activeElement?.getAttribute("role") === "tab";
  showPart(part);
  if (hadFocus) byId(`tab-${part}`).focus();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === byId("filter")) {
    if (event.key === "Escape") {
      event.target.value = "";
      showList();
      event.target.blur();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  }
  const actions = {
    ArrowDown: () => step(1), j: () => step(1),
    ArrowUp: () => step(-1), k: () => step(-1),
    ArrowRight: () => turn(1), ArrowLeft: () => turn(-1),
    c: copyCode,
    "/": () => byId("filter").focus(),
  };
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function say(what, words) {
  byId("state").dataset.state = what;
  byId("state").textContent = words;
}

async function ask(url) {
  const response = await fetch(url, { cache: "no-store" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  return response.json();
}

async function load() {
  const { messages } = await ask(MESSAGES);
  const wasNewest = !state.current || state.current === state.messages[0]?.id;
  state.messages = messages;
  const isGone = !current();
  if (isGone || wasNewest) state.current = messages[0]?.id ?? null;
  showList();
  if (isGone || wasNewest) showMessage();
  state.known = new Set(messages.map((message) => message.id));
}

// Waits for the next arrival, again and again. A server that is away is asked every second.
async function follow() {
  let seen = null;
  for (;;) {
    try {
      const query = seen === null ? "" : `?seen=${seen}&wait=25`;
      const { revision } = await ask(REVISION + query);
      if (revision !== seen) await load();
      seen = revision;
      say("live", "Live");
    } catch {
      seen = null;
      say("lost", "Server away");
      await new Promise((resume) => setTimeout(resume, 1000));
    }
  }
}

async function deleteAll() {
  byId("clear").disabled = true;
  try {
    await fetch(MESSAGES, { method: "DELETE" });
    await load();
  } catch {
    say("lost", "Server away");
  }
}

byId("example").textContent = [
  `curl ${location.origin}/api/v1/otp/send \\`,
  `  -H "Authorization: Bearer $OTPOST_KEY" \\`,
  `  -H "Content-Type: application/json" \\`,
  `  -d '{"email": "user@example.com"}'`,
].join("\n");
byId("filter").addEventListener("input", filter);
byId("copy").addEventListener("click", copyCode);
byId("clear").addEventListener("click", deleteAll);
for (const name of PARTS) byId(`tab-${name}`).addEventListener("click", () => showPart(name));
document.addEventListener("keydown", onKey);
follow();
