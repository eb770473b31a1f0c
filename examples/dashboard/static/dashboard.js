"use strict";

const pods = new Map();          // "namespace/name" to its element
const byId = id => document.getElementById(id);
const LONGEST = 200;

function log(text, className = "", at = new Date()) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = at.toLocaleTimeString("en-GB");
  const what = document.createElement("span");
  what.textContent = text;
  what.className = className;
  item.append(time, what);
  byId("log").prepend(item);
  while (byId("log").children.length > LONGEST) byId("log").lastChild.remove();
}

function card(namespace) {
  const id = `namespace-${namespace}`;
  let found = byId(id);
  if (!found) {
    found = document.createElement("section");
    found.id = id;
    const head = document.createElement("h2");
    head.append(namespace, document.createElement("span"));
    const list = document.createElement("div");
    list.className = "pods";
    found.append(head, list);
    const after = [...byId("namespaces").children].find(one => one.id > id);
    byId("namespaces").insertBefore(found, after ?? null);
  }
  return found;
}

function count(section) {
  const there = section.querySelectorAll(".pod:not(.gone)").length;
  section.querySelector("h2 span").textContent = there;
  if (!section.querySelector(".pod")) section.remove();
}

function applied(pod) {
  const key = `${pod.namespace}/${pod.name}`;
  const section = card(pod.namespace);
  let element = pods.get(key);
  if (!element) {
    element = document.createElement("div");
    element.dataset.name = pod.name;
    const list = section.querySelector(".pods");
    const after = [...list.children].find(one => one.dataset.name > pod.name);
    list.insertBefore(element, after ?? null);
    pods.set(key, element);
    element.className = "pod" + (settled ? " new" : "");
    if (settled) log(`${key} is there`);
  } else if (element.dataset.phase !== pod.phase) {
    log(`${key} is ${pod.phase}`);
  }
  element.dataset.phase = pod.phase;
  element.classList.remove("Pending", "Running", "Succeeded", "Failed", "Unknown", "Terminating");
  element.classList.add(pod.phase);
  element.title = `${key}: ${pod.phase}`;
  const more = document.createElement("small");
  more.textContent = `${pod.phase}, ${pod.node ?? "no node"}`;
  element.replaceChildren(pod.name, more);
  count(section);
}

function deleted(pod) {
  const key = `${pod.namespace}/${pod.name}`;
  const element = pods.get(key);
  if (!element) return;
  pods.delete(key);
  element.classList.add("gone");
  log(`${key} is gone${pod.inferred ? ", which nobody told: the list says so" : ""}`);
  count(card(pod.namespace));
  setTimeout(() => { const section = element.closest("section"); element.remove(); count(section); },
             350);
}

function showStatus(status) {
  byId("dot").className = `dot ${status.live ? "live" : "away"}`;
  byId("phase").textContent = status.phase;
  byId("objects").textContent = status.objects;
  byId("version").textContent = status.resource_version ?? "–";
  byId("contact").textContent =
    status.staleness === null ? "never" : `${status.staleness.toFixed(1)} s ago`;
  for (const name of ["events", "reconnects", "relists"]) byId(name).textContent = status[name];
  const wrong = !status.live && status.last_error;
  byId("error").hidden = !wrong;
  if (wrong) {
    const wait = status.retry_at ? Math.max(0, status.retry_at - Date.now() / 1000) : 0;
    byId("error").textContent = `Shown is what was last known. ${status.last_error}.` +
      (wait ? ` Next try in ${wait.toFixed(1)} s.` : "");
  }
}

let settled = false;             // whether the replay is over: what then comes is news
const source = new EventSource("/events");
const on = (name, listener) =>
  source.addEventListener(name, event => listener(JSON.parse(event.data)));

on("hello", () => {
  pods.clear();
  byId("namespaces").replaceChildren();
  settled = false;
});
on("applied", applied);
on("deleted", deleted);
on("status", status => { settled = true; showStatus(status); });
on("phase", entry => {
  log(entry.phase, "phase", new Date(entry.at));
  if (entry.error) log(entry.error, "bad", new Date(entry.at));
});
source.addEventListener("error", () => {
  byId("dot").className = "dot away";
  byId("phase").textContent = "this page has lost its server";
});

for (const button of document.querySelectorAll("#faults button")) {
  button.addEventListener("click", () => {
    log(button.textContent, "phase");
    fetch("/faults", {method: "POST", body: new URLSearchParams({what: button.dataset.what})});
  });
}
