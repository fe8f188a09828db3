// The inbox page: keeps a list of the captured messages and shows one of them.

import { Reader, ask, byId, directionOf, element, languageOf, onKeys } from "./reader.js";

const MESSAGES = "/dev/inbox/messages";
const REVISION = "/dev/inbox/revision";

const state = { messages: [], current: null, known: null };
const reader = new Reader();
const narrow = matchMedia("(max-width: 800px)");

const urlOf = (id) => `${MESSAGES}/${encodeURIComponent(id)}`;

function visible() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return state.messages.filter((message) => {
    const text = `${message.to} ${message.subject} ${message.template}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
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
  const language = languageOf(message);
  const subject = element("span", "subject", message.subject);
  subject.lang = language;
  subject.dir = directionOf(language);
  button.append(
    element("span", "to", message.to),
    element("span", "when", clockTime(message.received_at)),
    subject,
    element("span", "kind", message.template),
  );
  if (message.id === state.current) button.setAttribute("aria-current", "true");
  if (state.known && !state.known.has(message.id)) button.classList.add("new");
  button.addEventListener("click", () => {
    select(message.id);
    read(true);
  });
  const row = document.createElement("li");
  row.append(button);
  return row;
}

function showList() {
  const shown = visible();
  const focused = document.activeElement?.dataset?.id;
  byId("list").replaceChildren(...shown.map(item));
  if (focused) (buttonOf(focused) ?? byId("list").querySelector("button"))?.focus();
  const count = state.messages.length;
  byId("none").hidden = count === 0 || shown.length > 0;
  byId("empty").hidden = count > 0;
  byId("clear").disabled = count === 0;
  document.body.classList.toggle("without", count === 0);
  document.title = count === 0 ? "Inbox · otpost dev" : `(${count}) Inbox · otpost dev`;
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

// On a narrow screen there is room for the list or for the message.
function read(isRead) {
  document.body.classList.toggle("reading", isRead);
  if (!narrow.matches) return;
  if (isRead) byId("back").focus();
  else buttonOf(state.current)?.focus();
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
  if (!message) {
    document.body.classList.remove("reading");
    return;
  }
  byId("to").textContent = message.to;
  byId("template").textContent = message.template;
  byId("session").textContent = message.session_id;
  byId("received").dateTime = message.received_at;
  byId("received").textContent = new Date(message.received_at).toLocaleString();
  byId("code").textContent = message.code;
  sayCopied(false);
  reader.show(message, { html: `${urlOf(message.id)}/html`, source: `${urlOf(message.id)}/source` });
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

function say(what, words) {
  if (byId("state").dataset.state === what) return;
  byId("state").dataset.state = what;
  byId("state").textContent = words;
}

// A person who does not see the list is told what came.
function announce(messages) {
  if (!state.known) return;
  const fresh = messages.filter((message) => !state.known.has(message.id));
  if (fresh.length === 1) byId("news").textContent = `New message to ${fresh[0].to}: ${fresh[0].subject}`;
  else if (fresh.length > 1) byId("news").textContent = `${fresh.length} new messages`;
}

async function load() {
  const { messages } = await (await ask(MESSAGES)).json();
  announce(messages);
  const shown = visible();
  const place = shown.findIndex((message) => message.id === state.current);
  const wasNewest = place < 1 && !document.body.classList.contains("reading");
  state.messages = messages;
  const isGone = !current();
  if (isGone || wasNewest) {
    const now = visible();
    const next = isGone && place > 0 ? now[Math.min(place, now.length - 1)] : now[0];
    state.current = (next ?? messages[0])?.id ?? null;
  }
  showList();
  if (isGone || wasNewest) showMessage();
  state.known = new Set(messages.map((message) => message.id));
}

// Waits for the next change, again and again. A server that is away is asked every second.
async function follow() {
  let seen = null;
  for (;;) {
    try {
      const query = seen === null ? "" : `?seen=${seen}&wait=25`;
      const { revision } = await (await ask(REVISION + query)).json();
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

// The list follows by itself: whatever changes the inbox wakes `follow`.
async function remove(url) {
  try {
    await ask(url, { method: "DELETE" });
  } catch {
    say("lost", "Not deleted");
  }
}

async function removeCurrent() {
  const message = current();
  if (!message) return;
  const isListFocused = document.activeElement === buttonOf(message.id);
  await remove(urlOf(message.id));
  byId("news").textContent = "Message deleted";
  if (!isListFocused) byId("list-of-messages").focus();
}

function askToClear() {
  const count = state.messages.length;
  if (count === 0) return;
  byId("count").textContent = count === 1 ? "the only message" : `all ${count} messages`;
  byId("sure").showModal();
}

byId("example").textContent = [
  `curl ${location.origin}/api/v1/otp/send \\`,
  `  -H "Authorization: Bearer $OTPOST_KEY" \\`,
  `  -H "Content-Type: application/json" \\`,
  `  -d '{"email": "user@example.com"}'`,
].join("\n");
byId("filter").value = new URLSearchParams(location.search).get("to") ?? "";
byId("filter").addEventListener("input", filter);
byId("filter").addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.target.value = "";
    filter();
    event.target.blur();
  } else if (event.key === "ArrowDown") {
    event.preventDefault();
    step(0);
  }
});
byId("copy").addEventListener("click", copyCode);
byId("delete").addEventListener("click", removeCurrent);
byId("back").addEventListener("click", () => read(false));
byId("clear").addEventListener("click", askToClear);
byId("sure").addEventListener("close", () => {
  if (byId("sure").returnValue === "delete") remove(MESSAGES);
});
onKeys({
  ArrowDown: () => step(1), j: () => step(1),
  ArrowUp: () => step(-1), k: () => step(-1),
  ArrowRight: () => reader.turn(1), ArrowLeft: () => reader.turn(-1),
  c: copyCode,
  d: removeCurrent, Delete: removeCurrent,
  w: () => reader.otherWidth(),
  Escape: () => read(false),
  "/": () => byId("filter").focus(),
});
follow();
