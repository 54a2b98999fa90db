// The status page: asks /api/v1/status every two seconds and draws it. Text goes in as text, never as markup.
// The token stays in this tab's memory: not in a cookie, not in storage, gone with the tab.
"use strict";

const EVERY_MS = 2000;
const LATE_MS = 8000;
let token = "";
let seenAt = 0;

const $ = (id) => document.getElementById(id);

function make(tag, text, kind) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}

function power(watts) {
  if (!known(watts)) return "–";
  const size = Math.abs(watts);
  return size < 1000 ? `${size} W` : `${(size / 1000).toFixed(size < 10000 ? 2 : 1)} kW`;
}

const known = (value) => value !== null && value !== undefined;

const count = (number) => (known(number) ? number.toLocaleString("en") : "–");

function lasting(seconds) {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"]];
  for (const [size, unit] of steps) if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${seconds} s`;
}

function size(bytes) {
  const steps = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"]];
  for (const [step, unit] of steps) if (bytes >= step) return `${(bytes / step).toFixed(bytes < 10 * step ? 1 : 0)} ${unit}`;
  return `${bytes} B`;
}

const days = (number) => (number >= 365 ? `${(number / 365).toFixed(1)} years` : `${number} days`);

function way(watts, positive, negative) {
  if (!known(watts)) return "not known";
  return watts === 0 ? "no flow" : watts > 0 ? positive : negative;
}

function flow(id, watts, words) {
  const card = $(id);
  card.querySelector(".value").textContent = power(watts);
  card.querySelector(".quiet").textContent = words;
}

function flows(figures) {
  const soc = figures.battery_soc_bp;
  const charged = known(soc) ? `, ${(soc / 100).toFixed(0)} %` : "";
  flow("pv", figures.pv_power_w, way(figures.pv_power_w, "producing", "consuming"));
  flow("battery", figures.battery_power_w, way(figures.battery_power_w, "discharging", "charging") + charged);
  const hertz = known(figures.grid_frequency_mhz) ? `, ${(figures.grid_frequency_mhz / 1000).toFixed(2)} Hz` : "";
  flow("grid", figures.grid_power_w, way(figures.grid_power_w, "importing", "exporting") + hertz);
  flow("load", figures.load_power_w, way(figures.load_power_w, "consuming", "feeding in"));
  $("soc").hidden = !known(soc);
  if (known(soc)) {
    $("soc").value = soc / 100;
    $("soc").textContent = `${(soc / 100).toFixed(0)} %`;
  }
}

// Addresses and hashes are shown by their ends; the whole is in the title.
const brief = (text) => text.replace(/0x[0-9a-fA-F]{40,}/g, (long) => `${long.slice(0, 8)}…${long.slice(-6)}`);

function list(id, rows) {
  const nodes = rows.flatMap(([name, value]) => {
    const node = make("dd", brief(value));
    if (node.textContent !== value) node.title = value;
    return [make("dt", name), node];
  });
  $(id).replaceChildren(...nodes);
}

const MODES = {
  running: ["running an order", "good"], fallback: ["no order", "idle"], stopped: ["stopped", "bad"],
  fault: ["fault", "bad"], "store lost": ["store lost", "bad"],
};

function control(said) {
  const [text, kind] = MODES[said.mode] ?? [said.mode, "warn"];
  $("mode").textContent = text;
  $("mode").className = `badge ${kind}`;
  const signed = (watts) => `${power(watts)}${watts ? (watts > 0 ? " discharging" : " charging") : ""}`;
  const rows = [["Mode", said.mode === "fallback" ? "no order: the inverter follows its own control" : text]];
  if (said.command) {
    const kinds = [said.command, ...said.beside].map((order) => order.kind).join(" + ");
    rows.push(["Order", kinds], ["From", said.command.origin || said.command.source]);
    rows.push(["Ends in", lasting(Math.round(said.remaining_ms / 1000))]);
  }
  if (said.command) {
    rows.push(["Asked", signed(said.target_w)], ["Set", signed(said.commanded_w)]);
  }
  rows.push(["Measured", signed(said.measured_w)]);
  if (said.reactive_var) rows.push(["Reactive", `${said.reactive_var} var`]);
  if (said.shed?.length) rows.push(["Loads off", said.shed.join(", ")]);
  if ("executed" in said) rows.push(["Carried out", `${count(said.executed)} orders`]);
  list("control", rows);
  const causes = said.causes ?? [];
  $("causes").hidden = !causes.length;
  $("causes").textContent = `Held back by ${causes.map((c) => c.replaceAll("_", " ")).join(", ")}.`;
}

function evidence(status) {
  const { records, chain, store, clock } = status;
  const { card } = store;
  const rows = [
    ["Clock", clock === "TRUSTED" ? "synchronised" : "not synchronised: nothing is signed"],
    ["Readings", `${count(store.readings)} stored${store.lost ? `, ${count(store.lost)} lost` : ""}`],
    ["Card", known(card.day_bytes)
      ? `${size(card.day_bytes)} a day written${known(card.life_days) ? `, lasts ${days(card.life_days)}` : ""}`
      : `${size(card.total_bytes)} written`],
    ["Records", records.sequence ? `${count(records.signed)} signed, newest ${records.sequence}` : "none yet"],
  ];
  if (records.key) rows.push(["Key", records.key]);
  if (chain) {
    rows.push(["On chain", `${count(chain.confirmed)} of ${count(records.signed)} confirmed, ${count(chain.queued)} waiting`]);
    rows.push(["Block", count(chain.block)]);
    if (chain.last_transaction) rows.push(["Transaction", chain.last_transaction]);
  } else rows.push(["On chain", "this site has no chain"]);
  list("evidence", rows);
}

function devices(said) {
  const rows = Object.entries(said).map(([name, device]) => {
    const row = make("tr");
    const head = make("th", name);
    head.scope = "row";
    const state = make("td");
    state.append(make("span", device.online ? "online" : "away", `pill ${device.online ? "good" : "bad"}`));
    const more = device.error || device.identity;
    if (more) state.append(make("small", more));
    row.append(head, state, make("td", count(device.samples), "number"), make("td", count(device.misses), "number"));
    return row;
  });
  $("devices").replaceChildren(...rows);
}

const scaled = (value, unit, places, suffix) => (known(value) ? `${(value / unit).toFixed(places)} ${suffix}` : "–");

function energy(wh) {
  return known(wh) ? (Math.abs(wh) < 10000 ? `${wh} Wh` : `${(wh / 1000).toFixed(1)} kWh`) : "–";
}

const percent = (bp) => scaled(bp, 100, 1, "%");

function capacity(day) {
  if (!known(day.capacity_wh)) return "–";
  const error = known(day.capacity_error_bp) ? ` ± ${(day.capacity_error_bp / 100).toFixed(1)} %` : "";
  return energy(day.capacity_wh) + error;
}

function health(day) {
  if (!known(day.soh_bp)) return known(day.soh_measured_bp) ? `${percent(day.soh_measured_bp)} measured` : "–";
  return percent(day.soh_bp) + (known(day.soh_measured_bp) ? `, ${percent(day.soh_measured_bp)} measured` : "");
}

function warmth(day) {
  if (!known(day.temperature_min_cc)) return "–";
  return `${(day.temperature_min_cc / 100).toFixed(1)} to ${(day.temperature_max_cc / 100).toFixed(1)} °C`;
}

function balance(day) {
  const longer = day.imbalance_ms ? `, ${lasting(Math.round(day.imbalance_ms / 1000))} above 0.1 V` : "";
  return scaled(day.imbalance_mv, 1, 0, "mV") + longer;
}

const FIGURES = [
  ["Charged, discharged", (d) => `${energy(d.charged_wh)}, ${energy(d.discharged_wh)}`],
  ["Throughput", (d) => energy(d.charged_wh + d.discharged_wh)],
  ["Equivalent cycles", (d) => scaled(d.cycles_milli, 1000, 2, "")],
  ["Round trip", (d) => percent(d.efficiency_bp)],
  ["Usable capacity", capacity],
  ["State of health", health],
  ["Cell imbalance", balance],
  ["Temperature", warmth],
  ["Availability", (d) => percent(d.availability_bp)],
  ["Faults, losses of contact", (d) => `${count(d.faults)}, ${count(d.losses)}`],
];

function figures(performance) {
  $("battery-figures").hidden = !performance?.day;
  if (!performance?.day) return;
  const rows = FIGURES.map(([name, said]) => {
    const row = make("tr");
    const head = make("th", name);
    head.scope = "row";
    row.append(head, ...[performance.day, performance.month].map((part) => make("td", said(part).trim(), "number")));
    return row;
  });
  $("figures").replaceChildren(...rows);
  trend(performance.health);
}

// State of health over the days that are known, between the least and the most of them, at least 2 % apart.
function trend(said) {
  const points = said?.points ?? [];
  $("health").hidden = points.length < 2;
  if (points.length < 2) return;
  const [start, end] = [points[0][0], points[points.length - 1][0]];
  const values = points.map((point) => point[1]);
  const top = Math.max(...values);
  const span = Math.max(200, top - Math.min(...values));
  const place = ([at, bp]) => `${((at - start) * 400) / (end - start)},${4 + ((top - bp) * 52) / span}`;
  $("health").querySelector("polyline").setAttribute("points", points.map(place).join(" "));
  const sign = (bp) => `${bp > 0 ? "+" : "−"}${(Math.abs(bp) / 100).toFixed(1)} %`;
  const pace = known(said.per_year_bp)
    ? `${sign(said.per_year_bp)} a year (${sign(said.least_bp)} to ${sign(said.most_bp)})`
    : "its pace is not known yet";
  $("health").querySelector("figcaption").textContent =
    `State of health since ${new Date(start).toISOString().slice(0, 10)}: ${percent(values[0])} to ${percent(values[values.length - 1])}, ${pace}.`;
}

function alerts(status) {
  const { control: said, chain } = status;
  const found = [];
  if (said.fault) {
    found.push(["bad", `${said.mode === "stopped" ? "Stopped" : "Fault"}: ${said.fault}. It holds until a person at the site releases it.`]);
  }
  const grid = { lost: "The grid is lost.", island: "The house is an island, as ordered.", returning: "The grid is back and not stable yet." };
  if (said.grid) found.push(["warn", grid[said.grid]]);
  for (const [name, device] of Object.entries(status.devices)) if (!device.online) found.push(["warn", `${name} does not answer.`]);
  for (const doubt of said.doubts) found.push(["warn", `Not believed: ${doubt}`]);
  for (const [name, text] of Object.entries(status.troubles)) found.push(["warn", `${name}: ${text}`]);
  for (const alert of status.performance?.alerts ?? []) {
    const since = new Date(alert.since_ms).toISOString().slice(0, 10);
    found.push([alert.severity === "critical" ? "bad" : "warn", `Maintenance: ${alert.text} (since ${since}).`]);
  }
  if (status.store.card.note) found.push(["warn", `Maintenance: ${status.store.card.note}.`]);
  if (chain?.trouble) found.push(["warn", `chain: ${chain.trouble}`]);
  show(found);
}

function show(found) {
  $("alerts").hidden = !found.length;
  $("alerts").replaceChildren(...found.map(([kind, text]) => make("p", text, kind)));
}

function access(full) {
  $("shown").textContent = full
    ? "Everything is shown. Changes always need the token; what a stop latched is released at the site only."
    : "Setpoints, orders and keys are hidden. `gridseal token` on the device shows its token.";
  $("forget").hidden = $("stop").hidden = !token;
}

function draw(status) {
  document.title = `${status.site} · Gridseal`;
  $("site").textContent = status.site;
  $("seen").textContent = `up ${lasting(status.uptime_s)}`;
  document.body.classList.remove("stale");
  flows(status.site_figures);
  control(status.control);
  evidence(status);
  figures(status.performance);
  devices(status.devices);
  alerts(status);
  access(status.full);
}

function lost(reason) {
  if (Date.now() - seenAt < LATE_MS) return;
  document.body.classList.add("stale");
  $("mode").textContent = "no connection";
  $("mode").className = "badge bad";
  show([["bad", `The gateway does not answer (${reason}); what is shown is old.`]]);
}

const bearer = () => (token ? { Authorization: `Bearer ${token}` } : {});

async function refresh() {
  try {
    const response = await fetch("/api/v1/status", { headers: bearer(), cache: "no-store", signal: AbortSignal.timeout(EVERY_MS * 3) });
    const said = await response.json();
    if (response.status === 401 || response.status === 429) {
      token = "";
      $("said").textContent = said.message;
      return;
    }
    if (!response.ok) throw new Error(said.message);
    seenAt = Date.now();
    draw(said);
  } catch (error) {
    lost(error.message);
  }
}

async function stop() {
  if (!window.confirm("Stop the battery now? A person at the site must release it afterwards.")) return;
  $("said").textContent = "stopping …";
  try {
    const response = await fetch("/api/v1/stop", {
      method: "POST", body: "{}", headers: { "Content-Type": "application/json", ...bearer() }, signal: AbortSignal.timeout(10000),
    });
    const said = await response.json();
    $("said").textContent = said.admitted ? "stopped" : `refused: ${said.reason ?? said.message}`;
  } catch (error) {
    $("said").textContent = `not acknowledged: ${error.message}`;
  }
  await refresh();
}

function use() {
  token = $("token").value.trim();
  $("token").value = "";
  $("said").textContent = "";
  refresh();
}

$("use").addEventListener("click", use);
$("token").addEventListener("keydown", (event) => { if (event.key === "Enter") use(); });
$("forget").addEventListener("click", () => { token = ""; refresh(); });
$("stop").addEventListener("click", stop);
async function loop() {
  await refresh();
  setTimeout(loop, EVERY_MS);
}
loop();
