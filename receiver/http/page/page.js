// The page works without this: it keeps what is shown up to date, and says times as they are spoken.
"use strict";

const said = document.getElementById("live");

function ago(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return s + " s ago";
  if (s < 3600) return Math.floor(s / 60) + " min ago";
  if (s < 86400) return Math.floor(s / 3600) + " h ago";
  return Math.floor(s / 86400) + " d ago";
}

function sayTimes() {
  for (const t of document.querySelectorAll("time[data-ago]")) {
    const at = Date.parse(t.dateTime);
    if (!Number.isNaN(at) && at <= Date.now()) t.textContent = ago(Date.now() - at);
    t.title = new Date(at).toLocaleString();
  }
}

// What somebody is writing into is left alone.
function inUse(element) {
  if (element.contains(document.activeElement) && document.activeElement !== document.body) return true;
  return Array.from(element.querySelectorAll("input:not([type=hidden]), textarea")).some((i) => i.value !== i.defaultValue);
}

async function renew() {
  const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id);
    if (other && part.innerHTML !== other.innerHTML && !inUse(part)) part.replaceChildren(...other.childNodes);
  }
  if (fresh.title) document.title = fresh.title;
  sayTimes();
}

let planned = 0;
function renewSoon() {
  if (planned) return;
  planned = setTimeout(() => { planned = 0; renew().catch(() => {}); }, 400);
}

if (said && window.EventSource && document.querySelector("[data-live]")) {
  const events = new EventSource("/events");
  events.addEventListener("open", () => {
    said.textContent = "live";
    renewSoon(); // what happened between the page and this
  });
  events.addEventListener("error", () => { said.textContent = "not live: trying again"; });
  events.addEventListener("fact", renewSoon);
  window.addEventListener("pagehide", () => events.close());
  setInterval(renewSoon, 15000);
}
sayTimes();
setInterval(sayTimes, 10000);
