"use strict";

// Puts the model on the page, and listens for what is new.
(() => {
  const find = (id) => document.getElementById(id);
  // Drawing again sooner helps nobody.
  const DRAW_EVERY = 250;
  const ALERTS_AT_FIRST = 100;
  const ANNOUNCE_EVERY = 5000;
  const SEVERITIES = {
    critical: ["▲ Critical", "bad"], warning: ["◆ Warning", "poor"], info: ["● Info", "fair"],
  };

  const charts = {};
  const more = new Map();
  let isDrawing = false, lastChange = null, showsAll = false, drawnAlerts = "", state = "waiting";
  let announced = null, lastAnnounced = 0;

  const chart = (panel, options) =>
    (charts[panel] ??= new Chart(find(panel).querySelector(".chart"), options));

  function setState(next, text) {
    state = next;
    const place = find("state");
    place.dataset.state = next;
    if (place.textContent !== text) place.textContent = text;
  }

  function showPanel(panel, list, options) {
    const hasData = list.some(({ t }) => t.length > 0);
    find(panel).querySelector(".empty").hidden = hasData;
    if (hasData || charts[panel]) chart(panel, options).show(hasData ? list : []);
    return hasData;
  }

  const verdict = (score) =>
    score >= 90 ? ["✔ Healthy", "good"] : score >= 70 ? ["● Degraded", "fair"]
      : score >= 50 ? ["◆ Poor", "poor"] : ["▲ Critical", "bad"];

  function drawHealth() {
    const series = model.health();
    const options = {
      title: "System Health Score", height: 120, range: () => [0, 105], withLegend: false,
    };
    const hasData = showPanel("health", [series], options);
    find("health").querySelector(".stat").hidden = !hasData;
    if (!hasData) return;
    const score = series.v.at(-1);
    const [word, tone] = verdict(score);
    find("score").textContent = write.number(score);
    find("verdict").textContent = word;
    find("verdict").className = `verdict ${tone}`;
  }

  function drawMore() {
    const fields = model.fields().filter((field) => !model.PANELS.includes(field)).sort();
    find("more-count").textContent = fields.length > 0 ? String(fields.length) : "none yet";
    for (const [field, { section }] of more) {
      if (!fields.includes(field)) {
        section.remove();
        more.delete(field);
      }
    }
    if (!find("more").open) return;
    for (const field of fields) {
      if (!more.has(field)) more.set(field, addField(field));
      more.get(field).chart.show(model.seriesOf(field));
    }
  }

  function addField(field) {
    const host = element("div");
    const section = element("section", { className: "panel" },
      element("h3", { textContent: field }), host);
    section.setAttribute("aria-label", field);
    find("more").querySelector(".grid").append(section);
    return { section, chart: new Chart(host, { title: field, height: 140 }) };
  }

  function alertRow(alert) {
    const [word, tone] = SEVERITIES[alert.severity] ?? [alert.severity ?? "", ""];
    const number = alert.value === null || alert.value.trim() === "" ? NaN : Number(alert.value);
    const value = Number.isFinite(number) ? write.number(number) : alert.value ?? "";
    const cells = [
      [write.time(alert.t), "time"], [word, `severity ${tone}`], [alert.alert, ""],
      [model.labelsOf(alert.labels), ""],
      [value && alert.field ? `${alert.field} ${value}` : value, "number"], [alert.reason ?? "", ""],
    ];
    const row = element("tr", {}, ...cells.map(([textContent, className]) => {
      const cell = element("td", { textContent, className });
      cell.setAttribute("role", "cell");
      return cell;
    }));
    row.setAttribute("role", "row");
    return row;
  }

  function drawAlerts() {
    const alerts = model.alerts();
    announce(alerts);
    const shape = `${alerts.length} ${alerts[0]?.id} ${alerts.at(-1)?.id} ${showsAll} ` +
      JSON.stringify(model.counts());
    if (shape === drawnAlerts) return;
    drawnAlerts = shape;
    find("alerts").querySelector(".empty").hidden = alerts.length > 0;
    find("alert-table").hidden = alerts.length === 0;
    find("counts").replaceChildren(...model.counts().map(([name, count]) =>
      element("li", {}, `${name} `, element("b", { textContent: write.number(count) }))));
    const shown = showsAll ? alerts : alerts.slice(0, ALERTS_AT_FIRST);
    find("alert-table").tBodies[0].replaceChildren(...shown.map(alertRow));
    find("all-alerts").hidden = alerts.length <= ALERTS_AT_FIRST;
    find("all-alerts").textContent =
      showsAll ? `Show the newest ${ALERTS_AT_FIRST}` : `Show all ${alerts.length}`;
  }

  // Tells of new alerts those who do not see them, not too often.
  function announce(alerts) {
    const newest = Math.max(-1, ...alerts.map(({ id }) => id));
    if (announced === null || newest < announced) announced = newest;
    if (newest === announced || Date.now() - lastAnnounced < ANNOUNCE_EVERY) return;
    const fresh = alerts.filter(({ id }) => id > announced);
    const named = fresh.slice(0, 3).map((alert) =>
      [alert.severity, alert.alert, model.labelsOf(alert.labels)].filter(Boolean).join(" "));
    const rest = fresh.length - named.length;
    if (rest > 0) named.push(`${rest} more`);
    find("announce").textContent = `New alerts: ${named.join("; ")}`;
    announced = newest;
    lastAnnounced = Date.now();
  }

  function drawFacts() {
    const { newest, rows = 0, alerts = 0 } = model.status();
    find("newest").textContent =
      newest === null || newest === undefined ? "–" : `${write.time(newest)} UTC`;
    find("rows").textContent = write.number(rows);
    find("alert-count").textContent = write.number(alerts);
    const status = model.status();
    const notes = [
      [status.filtered, (n) => `${n} rows by address or user, or of other queries, are left out; --query shows a query.`],
      [status.refused, (n) => `${n} values are left out: there is room for ${status.series_each} series of a field.`],
      [status.crowded, (n) => `${n} older points are left out: there is room for ${status.points_each} in a series.`],
      [status.too_old, (n) => `${n} values came too late for the history; --history makes it longer.`],
      [status.rejected, (n) => `${n} lines were no rows.`],
      [Math.max(0, alerts - (status.alerts_kept ?? alerts)), (n) => `${n} older alerts are left out.`],
    ].filter(([count]) => count > 0).map(([count, text]) => text(write.number(count)));
    const list = find("notes");
    const drawn = [...list.children].map(({ textContent }) => textContent);
    if (JSON.stringify(drawn) !== JSON.stringify(notes)) {
      list.replaceChildren(...notes.map((textContent) => element("li", { textContent })));
    }
  }

  function drawFreshness() {
    const seconds = lastChange === null ? null : Math.round((Date.now() - lastChange) / 1000);
    find("fresh").textContent = seconds === null ? "–"
      : seconds < 60 ? `${seconds} s ago`
      : seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : `${Math.floor(seconds / 3600)} h ago`;
  }

  function draw() {
    isDrawing = false;
    drawFacts();
    drawHealth();
    showPanel("response", model.seriesOf("avg_response_time"),
      { title: "Response Time Trends", unit: "s" });
    showPanel("errors", model.seriesOf("error_rate"), { title: "Error Rate", unit: "%" });
    showPanel("volume", [model.volume()], { title: "Request Volume" });
    showPanel("latency", model.seriesOf("p95_response_time"),
      { title: "Slowest Answers", unit: "s" });
    drawAlerts();
    drawMore();
    document.body.dataset.drawn = String(Number(document.body.dataset.drawn ?? 0) + 1);
  }

  function drawSoon() {
    if (isDrawing || document.hidden) return;
    isDrawing = true;
    setTimeout(draw, DRAW_EVERY);
  }

  function connect() {
    const events = new EventSource("/events");
    events.addEventListener("begin", () => {
      model.reset();
      announced = null;
      setState("live", "Live");
      drawSoon();
    });
    events.addEventListener("message", ({ data }) => {
      model.merge(JSON.parse(data));
      lastChange = Date.now();
      drawSoon();
    });
    events.addEventListener("end", () => {
      events.close();
      const isDone = model.status().ended === "done";
      setState("ended", isDone ? "The input has ended" : "The input has stopped");
      drawSoon();
    });
    events.addEventListener("error", () => {
      setState("lost", "Connection lost, trying again");
      // Refused, and not only broken off: the browser does not try again.
      if (events.readyState === EventSource.CLOSED) setTimeout(connect, 2000);
    });
  }

  find("all-alerts").addEventListener("click", () => {
    showsAll = !showsAll;
    draw();
  });
  find("more").addEventListener("toggle", draw);
  document.addEventListener("visibilitychange", drawSoon);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const one of [...Object.values(charts), ...[...more.values()].map((field) => field.chart)]) {
      one.draw();
    }
  });

  const report = find("report");
  if (report) {
    model.merge(JSON.parse(report.textContent));
    find("fresh-fact").hidden = true;
    document.title = "Highwater report";
    setState("ended", "Report");
    draw();
  } else {
    connect();
    setInterval(drawFreshness, 1000);
  }
})();
