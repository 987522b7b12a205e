"use strict";

const api = "/pipelines/api";
const byId = (id) => document.getElementById(id);
const named = () => (/^[a-z0-9_-]+\/\d+$/.test(location.hash.slice(1)) ? location.hash.slice(1) : ""); // NAME/PROCESS
const key = (s) => `${encodeURIComponent(s.pipeline)}/${s.process}`;

// element returns a new element with text, never with markup.
function element(tag, text, className) {
  const e = document.createElement(tag);
  e.textContent = text ?? "";
  if (className) e.className = className;
  return e;
}

async function get(path) {
  const response = await fetch(api + path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.json();
}

function showNames(all) {
  byId("names").replaceChildren(...all.map((s) => {
    const a = element("a", s.process > 1 ? `${s.pipeline} (process ${s.process})` : s.pipeline);
    a.href = "#" + key(s);
    if (key(s) === named()) a.setAttribute("aria-current", "page");
    return a;
  }));
}

function showCounts(s, perSecond) {
  const bad = ["failed", "killed", "stuck"].includes(s.state);
  const counts = [
    ["State", s.state, bad ? "bad" : s.state === "running" ? "good" : ""],
    ["Delivered", s.delivered.toLocaleString()],
    ["Images a second", perSecond === null ? "–" : perSecond.toFixed(1)],
    ["In flight", s.in_flight.toLocaleString()],
    ["Waiting", s.waiting.toLocaleString()],
    ["Failed attempts", s.failed_attempts.toLocaleString()],
    ["Dead letters of this run", s.dead.toLocaleString(), s.dead > 0 ? "bad" : ""],
  ];
  byId("counts").replaceChildren(...counts.map(([name, value, className]) => {
    const div = document.createElement("div");
    div.append(element("dt", name), element("dd", value, className));
    return div;
  }));
  const down = s.running ? (s.down ?? []).map((o) => `${o.component} is down since ${new Date(o.since).toLocaleString()}: ${o.cause}`) : [];
  const f = s.last_failure;
  byId("failure").textContent = s.error ? "The last run ended with the error: " + s.error
    : down.length > 0 ? down.join("; ") : f ? `Last failure: ${new Date(f.time).toLocaleString()}, ${f.stage}, ${f.source}: ${f.cause}` : "";
}

function showRecent(all) {
  byId("recent").replaceChildren(...all.map((r) => {
    const li = document.createElement("li");
    if (r.thumbnail) {
      const img = document.createElement("img");
      img.src = "data:image/jpeg;base64," + r.thumbnail;
      img.alt = r.source;
      li.append(img);
    }
    li.append(element("strong", `${r.label} ${(100 * r.probability).toFixed(1)} %`), element("div", r.model, "muted"), element("div", r.source, "muted"));
    return li;
  }));
  if (all.length === 0) byId("recent").append(element("li", "none yet", "muted"));
}

function showLetters(d) {
  byId("letters").replaceChildren(...d.letters.map((l) => {
    const tr = document.createElement("tr");
    const a = element("a", l.source);
    if (!l.file) a.href = `${api}/${key(d.status)}/letters/${l.id}`;
    const source = document.createElement("td");
    source.append(a);
    tr.append(source, ...[l.stage, l.cause, l.attempts, new Date(l.time).toLocaleString(), l.size.toLocaleString() + " B"].map((v) => element("td", v)));
    return tr;
  }));
  const topic = d.status.dead_letter_topic;
  byId("more").textContent = topic ? `They are in the topic ${topic} of Kafka.` : d.more ? "There are more." : d.letters.length === 0 ? "There are none." : "";
  const r = d.replay;
  byId("replay").disabled = !topic && d.letters.length === 0 || (r !== null && r.running);
  byId("replayed").textContent = r === null ? "" : r.running ? "in progress …" : r.error ? "failed: " + r.error : "replayed; those that failed again are below";
}

let last = null; // the status shown before, for the rate

function show(d) {
  const s = d.status;
  let perSecond = null;
  if (last && last.key === key(s) && last.started === s.started) {
    const seconds = (new Date(s.updated) - new Date(last.updated)) / 1000;
    if (seconds > 0) perSecond = (s.delivered - last.delivered) / seconds;
    else perSecond = last.perSecond;
  }
  last = { key: key(s), started: s.started, updated: s.updated, delivered: s.delivered, perSecond };
  byId("name").textContent = s.pipeline;
  byId("file").textContent = `${s.file.split("/").pop()}, run by ${s.principal} since ${new Date(s.started).toLocaleString()}`;
  showCounts(s, s.state === "running" ? perSecond : null);
  byId("graph").innerHTML = d.graph; // an SVG of the server, in which all text is escaped
  showRecent(d.recent);
  showLetters(d);
}

async function refresh() {
  const message = byId("message");
  try {
    const all = await get("");
    if (!named() && all.length > 0) history.replaceState(null, "", "#" + key(all[0]));
    showNames(all);
    if (all.length === 0) {
      message.textContent = "No pipeline of yours has run with this home: tkit ingest run PIPELINE";
      byId("pipeline").hidden = true;
    } else {
      show(await get("/" + named()));
      message.textContent = "";
      byId("pipeline").hidden = false;
    }
  } catch (error) {
    message.textContent = error.message;
  }
}

async function replay() {
  byId("replay").disabled = true;
  const response = await fetch(`${api}/${named()}/replay`, { method: "POST", headers: { "X-Tkit-Request": "replay" } });
  if (!response.ok) byId("message").textContent = (await response.text()).trim();
  await refresh();
}

byId("replay").addEventListener("click", replay);
addEventListener("hashchange", refresh);

async function follow() {
  await refresh();
  setTimeout(follow, document.hidden ? 10000 : 1000);
}
follow();
