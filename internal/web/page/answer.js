// Answers to what people are called for. The panels are renewed around what a
// person is typing: a form that is open or in use is left alone.
"use strict";
const troubles = () => document.getElementById("troubles");
const kept = {
  get(key) { try { return sessionStorage.getItem("coldkeep-" + key) || ""; } catch (e) { return kept[key] || ""; } },
  set(key, value) { try { sessionStorage.setItem("coldkeep-" + key, value); } catch (e) { kept[key] = value; } },
};

// Renewal.

function busy(panel) {
  const answers = panel.querySelector(".answers");
  return panel.dataset.sending === "1" || answers.contains(document.activeElement) || answers.querySelector("details[open], .dirty, .token") !== null;
}

function patch(fresh) {
  if (!fresh) return;
  const wanted = [...fresh.children], say = [];
  for (const w of wanted) {
    const have = document.getElementById(w.id);
    if (!have) {
      say.push(w.dataset.say);
      prepare(w);
      continue;
    }
    if (have.dataset.say !== w.dataset.say) say.push(w.dataset.say);
    have.dataset.say = w.dataset.say;
    have.className = w.className;
    patchFacts(have.querySelector(".facts"), w.querySelector(".facts"));
    const answers = have.querySelector(".answers"), others = w.querySelector(".answers");
    if (answers.dataset.kind !== others.dataset.kind && !busy(have)) {
      answers.replaceWith(others);
      prepare(have);
    }
  }
  const ids = wanted.map(w => w.id);
  for (const have of [...troubles().children]) {
    if (ids.includes(have.id)) continue;
    if (busy(have)) {
      have.classList.add("gone");
      tell(have, "This is closed, or is told of elsewhere. Nothing is needed here any more.");
    } else have.remove();
  }
  // In order, without moving what is in use: moving it would take the focus away.
  const next = wanted.map(w => document.getElementById(w.id) || w), now = [...troubles().children];
  if (now.some(busy)) {
    for (const n of next) if (!n.isConnected || n.ownerDocument !== document) troubles().prepend(n);
  } else if (next.some((n, i) => n !== now[i])) {
    const focus = document.activeElement;
    troubles().replaceChildren(...next);
    if (focus !== document.activeElement && focus.isConnected) focus.focus({ preventScroll: true });
  }
  if (say.length) document.getElementById("tell").textContent = say.join(" ");
}

// The heading is kept as it is an aim of the focus.
function patchFacts(have, fresh) {
  const bare = e => [...e.children].map(c => c.querySelector(".age") ? c.firstChild.textContent : c.outerHTML).join();
  if (bare(have) === bare(fresh)) return;
  const focused = have.contains(document.activeElement);
  have.replaceChildren(...fresh.childNodes);
  if (focused) have.querySelector("h2").focus({ preventScroll: true });
}

// Who answers.

function prepare(panel) {
  for (const can of panel.querySelectorAll(".can")) can.hidden = false;
  const select = panel.querySelector("select[name=who]"), name = panel.querySelector("input[name=name]");
  if (!name) return;
  name.value = kept.get("name");
  if (!select) return;
  select.value = kept.get("who");
  if (select.selectedIndex < 0) select.value = "";
  showOther(panel);
}

function showOther(panel) {
  const select = panel.querySelector("select[name=who]");
  if (select) panel.querySelector(".other").hidden = select.value !== "?";
}

function who(panel) {
  const select = panel.querySelector("select[name=who]"), name = panel.querySelector("input[name=name]");
  if (select && select.value !== "?") {
    if (!select.value) throw { at: select, text: "Choose your name first: the others must know who it is." };
    return { by: select.selectedOptions[0].textContent, person: select.value };
  }
  if (!name.value.trim()) throw { at: name, text: "Write your name first: the others must know who it is." };
  return { by: name.value.trim() };
}

document.addEventListener("change", e => {
  const panel = e.target.closest(".trouble");
  if (!panel || !e.target.closest(".who")) return;
  kept.set(e.target.name, e.target.value);
  for (const p of troubles().children) if (p === panel || !busy(p)) prepare(p);
  if (e.target.value === "?") panel.querySelector("input[name=name]").focus();
});
document.addEventListener("input", e => {
  if (e.target.matches(".trouble form input")) e.target.classList.toggle("dirty", e.target.value !== "");
});

// Sending.

function command(panel, button) {
  const c = { alarm: panel.dataset.key, via: "page", ...who(panel) }, form = button.form;
  if (button.dataset.promise) c.promise = button.dataset.promise;
  for (const name of ["reason", "cause", "action"]) {
    const field = form.elements[name];
    if (!field) continue;
    if (!field.value.trim()) throw { at: field, text: "Say " + { reason: "why", cause: "what it was", action: "what was done" }[name] + " first: it stands in the record." };
    c[name] = field.value.trim();
  }
  const minutes = form.elements.minutes;
  return { name: button.dataset.command, minutes: minutes ? Number(minutes.value) : 0, body: c };
}

// One press has one id: pressed again because no answer came, it is the same
// command, and is carried out once.
function identify(panel, order) {
  const same = JSON.stringify(order);
  if (panel.press && panel.press.same === same) return panel.press;
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, "0")).join("");
  const body = { id, ...order.body };
  if (order.minutes) body.until = new Date(Math.round(now() + order.minutes * 60000)).toISOString();
  panel.press = { same, name: order.name, body };
  return panel.press;
}

function tell(panel, text, bad) {
  const result = panel.querySelector(".result");
  if (result.textContent !== text) result.textContent = text;
  result.classList.toggle("bad", !!bad);
}

async function post(press) {
  const headers = { "Content-Type": "application/json" }, token = kept.get("token");
  if (token) headers["Coldkeep-Token"] = token; // Authorization may be taken by the password of the page
  const stop = new AbortController(), timer = setTimeout(() => stop.abort(), 15000);
  try {
    const answer = await fetch("/api/v1/commands/" + press.name, { method: "POST", headers, body: JSON.stringify(press.body), signal: stop.signal });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  } finally { clearTimeout(timer); }
}

const done = { ack: "You have it. The others are told that you are going.", decline: "The next one is called.", shelve: "It is shelved.", unshelve: "People are called again.", close: "It is closed." };

async function give(panel, press) {
  if (panel.dataset.sending === "1") return;
  if (troubles().dataset.answers === "token" && !kept.get("token")) { askToken(panel, press, ""); return; }
  panel.dataset.sending = "1";
  panel.classList.add("sending");
  tell(panel, "Sending…");
  let answer = null;
  for (let tries = 0; tries < 2 && !answer; tries++) {
    try { answer = await post(press); } catch (e) { /* not known to have arrived: once more, with the same id */ }
  }
  panel.dataset.sending = "";
  panel.classList.remove("sending");
  if (!answer) {
    tell(panel, "✕ coldkeep does not answer, so it is not known whether this arrived. Press again: it counts only once.", true);
  } else if (answer.status === 200) {
    panel.press = null;
    settle(panel);
    tell(panel, "✓ " + done[press.name]);
    renew();
  } else if (answer.status === 401) {
    kept.set("token", "");
    askToken(panel, press, "That is not the token. ");
  } else {
    if (answer.status < 500) panel.press = null;
    const why = answer.body && answer.body.error && answer.body.error.message;
    tell(panel, "✕ This was not done: " + (why || "coldkeep answered " + answer.status) + ".", true);
  }
}

// settle closes the forms of what was done; the focus goes to the panel's head.
function settle(panel) {
  const inside = panel.querySelector(".answers").contains(document.activeElement);
  for (const d of panel.querySelectorAll("details[open]")) d.open = false;
  for (const f of panel.querySelectorAll("form")) f.reset();
  for (const d of panel.querySelectorAll(".dirty")) d.classList.remove("dirty");
  if (inside) panel.querySelector("h2").focus({ preventScroll: true });
}

function askToken(panel, press, why) {
  const old = panel.querySelector(".token");
  if (old) old.remove();
  const form = document.createElement("form"), label = document.createElement("label"), field = document.createElement("input"), go = document.createElement("button");
  form.className = "token";
  field.id = panel.id + "-token";
  field.type = "password";
  field.autocomplete = "off";
  label.htmlFor = field.id;
  label.textContent = "The token for commands. It is asked once, and kept until this page is closed";
  go.textContent = "Go on";
  form.append(label, field, go);
  form.addEventListener("submit", e => {
    e.preventDefault();
    e.stopPropagation();
    if (!field.value.trim()) { tell(panel, "Write the token first.", true); return; }
    kept.set("token", field.value.trim());
    panel.querySelector("h2").focus({ preventScroll: true });
    form.remove();
    give(panel, press);
  });
  panel.querySelector(".answers").append(form);
  tell(panel, why + "Nothing was sent yet: this page needs the token.", true);
  field.focus();
}

document.addEventListener("submit", e => {
  const panel = e.target.closest(".trouble");
  if (!panel) return;
  e.preventDefault();
  const button = e.submitter || e.target.querySelector("button");
  try {
    give(panel, identify(panel, command(panel, button)));
  } catch (wrong) {
    if (!wrong.at) throw wrong;
    tell(panel, "✕ " + wrong.text, true);
    wrong.at.setAttribute("aria-invalid", "true");
    wrong.at.addEventListener("input", () => wrong.at.removeAttribute("aria-invalid"), { once: true });
    wrong.at.focus();
  }
});

document.addEventListener("fresh", e => patch(e.detail.getElementById("troubles")));
for (const panel of troubles().children) prepare(panel);
