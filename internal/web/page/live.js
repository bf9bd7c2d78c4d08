// Keeps the page true: asks anew when something has changed, counts ages on,
// and says so itself when no answer comes any more.
"use strict";
const main = () => document.getElementById("main");
let asked = 0, pending = false, offset = null;

function span(s) {
  if (s < 120) return Math.max(0, Math.floor(s)) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min";
  return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}

// The monitor's clock, as far as its answers tell; never the phone's.
function now() { return performance.now() + offset; }
function meet() {
  const seen = Number(main().dataset.made) - performance.now();
  if (offset === null || seen > offset) offset = seen;
}

// What is read on, or stepped through by keyboard, stays where it is; whoever
// cannot see it hears what has changed of the units, and nothing else.
function replaceMain(fresh) {
  const at = main().contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const before = said(main()), news = said(fresh).filter(s => !before.includes(s));
  main().replaceWith(fresh);
  if (at) for (const a of fresh.querySelectorAll("a[href]")) if (a.getAttribute("href") === at) { a.focus({ preventScroll: true }); break; }
  const hear = document.getElementById("news");
  if (hear && news.length) hear.textContent = news.join(". ");
}
function said(within) { return [...within.querySelectorAll("[data-say]")].map(e => e.dataset.say); }

async function renew() {
  if (pending) return;
  const wait = 1000 - (performance.now() - asked);
  if (wait > 0) { pending = true; setTimeout(() => { pending = false; renew(); }, wait); return; }
  asked = performance.now();
  try {
    const url = location.pathname === "/" ? "/?part=main" : location.pathname;
    const answer = await fetch(url, { cache: "no-store" });
    if (!answer.ok && answer.status !== 404) return;
    const text = await answer.text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    replaceMain(fresh.getElementById("main"));
    document.dispatchEvent(new CustomEvent("fresh", { detail: fresh }));
    if (location.pathname !== "/") {
      document.body.className = fresh.body.className;
      document.querySelector("footer").replaceWith(fresh.querySelector("footer"));
    }
    meet();
    ages();
  } catch (e) { /* the age of what is shown tells it, below */ }
}

function ages() {
  const old = now() - Number(main().dataset.made) > Number(main().dataset.old);
  document.getElementById("old").hidden = !old;
  document.body.classList.toggle("stale", old);
  for (const e of document.querySelectorAll(".age")) {
    if (!e.textContent.startsWith("last")) e.textContent = span((now() - Number(e.dataset.at)) / 1000) + " ago";
  }
}
setInterval(ages, 1000);

meet();
ages();
const stream = new EventSource("/api/v1/events/stream");
stream.addEventListener("changed", renew);
setInterval(renew, 5000);
