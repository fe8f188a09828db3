// The page of templates: one message with sample values, in any language. Nothing of it is kept.

import { Reader, ask, byId, element, languageOf, onKeys } from "./reader.js";

const reader = new Reader();
let asked = 0;

function nameOf(tag, language) {
  try {
    return new Intl.DisplayNames([language], { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

// By their English names, so that typing one finds it. A name of its own script is isolated: it may
// run the other way.
function options(locales) {
  const named = locales.map((tag) => ({ tag, english: nameOf(tag, "en"), own: nameOf(tag, tag) }));
  named.sort((a, b) => a.english.localeCompare(b.english, "en"));
  return named.map(({ tag, english, own }) => {
    const text = own === english ? `${english} (${tag})` : `${english} · \u2068${own}\u2069 (${tag})`;
    const option = element("option", "", text);
    option.value = tag;
    return option;
  });
}

function choose(select, value) {
  if ([...select.options].some((option) => option.value === value)) select.value = value;
}

async function show() {
  const [template, locale] = [byId("template").value, byId("locale").value];
  const turn = ++asked;
  history.replaceState(null, "", `#${template}/${locale}`);
  const query = new URLSearchParams({ template, locale });
  try {
    const message = await (await ask(`/dev/templates/message?${query}`)).json();
    if (turn !== asked) return;
    reader.show(message, {
      html: `/dev/templates/html?${query}`,
      source: `/dev/templates/source?${query}`,
    });
    byId("from").textContent = message.headers.find(([name]) => name === "From")?.[1] ?? "";
    byId("language").textContent = languageOf(message);
    byId("message").hidden = false;
    byId("lost").hidden = true;
    document.title = `${template}, ${locale} · Templates · otpost dev`;
  } catch {
    if (turn !== asked) return;
    byId("message").hidden = true;
    byId("lost").hidden = false;
  }
}

function step(select, by) {
  const count = select.options.length;
  select.selectedIndex = (select.selectedIndex + by + count) % count;
  byId("news").textContent = select.selectedOptions[0].textContent;
  show();
}

async function start() {
  const { templates, locales } = await (await ask("/dev/templates/list")).json();
  byId("template").replaceChildren(...templates.map((name) => element("option", "", name)));
  byId("locale").replaceChildren(...options(locales));
  byId("locale").value = locales[0];
  const follow = () => {
    const [template, locale] = decodeURIComponent(location.hash.slice(1)).split("/");
    choose(byId("template"), template);
    choose(byId("locale"), locale);
    show();
  };
  addEventListener("hashchange", follow);
  for (const id of ["template", "locale"]) byId(id).addEventListener("change", show);
  byId("before").addEventListener("click", () => step(byId("locale"), -1));
  byId("after").addEventListener("click", () => step(byId("locale"), 1));
  onKeys({
    j: () => step(byId("locale"), 1), k: () => step(byId("locale"), -1),
    t: () => step(byId("template"), 1),
    ArrowRight: () => reader.turn(1), ArrowLeft: () => reader.turn(-1),
    w: () => reader.otherWidth(),
  });
  follow();
}

start().catch(() => { byId("lost").hidden = false; });
