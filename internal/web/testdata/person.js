// A person at the page: presses, types, waits, and tells what was seen.
"use strict";
(async () => {
  const told = [];
  const see = (what, ok, saw) => told.push({ what, ok: !!ok, saw: String(saw) });
  const sleep = ms => new Promise(r => setTimeout(r, ms));
  async function wait(what, f) {
    for (let i = 0; i < 300; i++) {
      if (f()) { see(what, true, ""); return; }
      await sleep(50);
    }
    see(what, false, document.getElementById("troubles").innerText);
    throw new Error("waited in vain for " + what);
  }
  const panel = key => document.querySelector(`[data-key="${key}"]`);
  const result = p => p.querySelector(".result").textContent;
  const press = (p, command, promise) => p.querySelector(`button[data-command="${command}"]${promise ? `[data-promise="${promise}"]` : ""}`).click();
  const type = (field, text) => { field.focus(); field.value = text; field.dispatchEvent(new Event("input", { bubbles: true })); };
  const choose = (field, value) => { field.focus(); field.value = value; field.dispatchEvent(new Event("change", { bubbles: true })); };
  try {
    await sleep(300);
    // All that can be pressed is large enough, and nothing is wider than the screen.
    for (const d of document.querySelectorAll("#troubles details")) d.open = true;
    for (const e of document.querySelectorAll("#troubles button, #troubles input, #troubles select, #troubles summary")) {
      const r = e.getBoundingClientRect();
      if (r.height && (r.height < 44 || r.width < 44)) see("a target is large enough", false, e.outerHTML + r.width + "x" + r.height);
      if (r.height && e.matches("input, select") && !e.labels.length) see("a field has a label", false, e.outerHTML);
    }
    see("nothing is wider than the screen", document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollWidth + " of " + innerWidth);
    for (const d of document.querySelectorAll("#troubles details")) d.open = false;

    // Typing outlives renewals, also when others act meanwhile.
    const one = panel("fridge-1/1"), fold = one.querySelector("details");
    fold.open = true;
    const reason = one.querySelector("input[name=reason]");
    type(reason, "half a sen");
    reason.setSelectionRange(4, 4);
    await fetch("/call", { method: "POST" });
    await wait("the page to tell who else is called", () => panel("fridge-1/1").innerText.includes("Ben Example"));
    await sleep(2500);
    see("the panel is the same one", panel("fridge-1/1") === one && reason.isConnected, "another");
    see("the form is open with what was typed", fold.open && reason.value === "half a sen" && document.activeElement === reason && reason.selectionStart === 4, reason.value + fold.open + document.activeElement.outerHTML);
    reason.value = "";
    type(reason, "");
    fold.open = false;
    document.activeElement.blur();

    // Without a name nothing is sent.
    press(one, "ack", "20m");
    see("it is asked who answers", result(one).includes("Choose your name first") && document.activeElement === one.querySelector("select[name=who]"), result(one));
    choose(one.querySelector("select[name=who]"), "anna");
    see("the other panels know, too", panel("fridge-2/1").querySelector("select[name=who]").value === "anna", "not");

    // The token is asked; a wrong one is asked again, and the press is not lost.
    press(one, "ack", "20m");
    const token = () => one.querySelector(".token input");
    see("the token is asked", token() && token().type === "password", one.innerHTML);
    type(token(), "wrong");
    one.querySelector(".token button").click();
    await wait("the wrong token to be told", () => result(one).includes("That is not the token"));
    type(token(), "a-token-of-some-length");
    one.querySelector(".token button").click();
    await wait("the answer", () => result(one).startsWith("✓"));
    await wait("the panel to tell it", () => one.innerText.includes("ANNA EXAMPLE IS GOING"));
    await wait("it to be heard", () => document.getElementById("tell").textContent.includes("ANNA EXAMPLE IS GOING"));
    await wait("the other answers", () => one.querySelector("details summary").innerText.includes("More time"));
    see("the focus is in the panel", one.contains(document.activeElement), document.activeElement.outerHTML);

    // An answer that is lost on its way; a free name; no token is asked again.
    const two = panel("fridge-2/1"), open = two.querySelector("details");
    open.open = true;
    choose(two.querySelector("select[name=who]"), "?");
    type(two.querySelector("input[name=name]"), "Cara Example");
    two.querySelector("input[name=name]").dispatchEvent(new Event("change", { bubbles: true }));
    choose(two.querySelector("select[name=minutes]"), "60");
    press(two, "shelve");
    see("a reason is asked", result(two).includes("Say why first"), result(two));
    type(two.querySelector("input[name=reason]"), "being moved");
    press(two, "shelve");
    await wait("the shelf", () => result(two).startsWith("✓") && two.innerText.includes("SHELVED UNTIL"));

    // A refusal is told in words, and what was typed stays.
    const old = panel("fridge-3/2");
    old.querySelector("details").open = true;
    type(old.querySelector("input[name=cause]"), "the door");
    type(old.querySelector("input[name=action]"), "shut it");
    press(old, "close");
    await wait("the refusal", () => result(old).includes("somebody has closed it already"));
    see("what was typed stays", old.querySelector("input[name=cause]").value === "the door", "gone");
  } catch (e) {
    see("the person comes to the end", false, e.message);
  }
  await fetch("/told", { method: "POST", body: JSON.stringify(told) });
})();
