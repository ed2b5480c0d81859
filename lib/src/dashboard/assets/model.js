"use strict";

// What the page has been told. Nothing here touches the document.
const model = (() => {
  const NONE = { status: {}, series: new Map(), alerts: new Map(), counts: [] };
  let told = structuredClone(NONE);

  // The place of the first time in `times` that is not before `time`.
  function place(times, time) {
    let low = 0, high = times.length;
    if (high === 0 || times[high - 1] < time) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
  }

  function put(series, time, value) {
    const at = place(series.t, time);
    if (series.t[at] === time) {
      series.v[at] = value;
    } else {
      series.t.splice(at, 0, time);
      series.v.splice(at, 0, value);
    }
  }

  function mergeSeries({ id, field, query, labels, length, t, v }) {
    const known = told.series.get(id);
    if (!known) {
      told.series.set(id, { id, field, query, labels, length, t, v });
      return;
    }
    known.length = length;
    t.forEach((time, index) => put(known, time, v[index]));
  }

  // Forgets what the other side has forgotten too.
  function prune() {
    const { oldest, points_each: most, alerts_kept: mostAlerts } = told.status;
    for (const [id, series] of told.series) {
      let excess = Math.max(0, series.t.length - most);
      if (oldest !== null) excess = Math.max(excess, place(series.t, oldest));
      if (excess > 0) {
        series.t.splice(0, excess);
        series.v.splice(0, excess);
      }
      if (series.t.length === 0) told.series.delete(id);
    }
    for (const [id, alert] of told.alerts) {
      if (told.alerts.size > mostAlerts || (oldest !== null && alert.t < oldest)) {
        told.alerts.delete(id);
      }
    }
  }

  const label = ([name, value]) =>
    name === "service" ? value : name === "overflow" ? "all others" : `${name}=${value}`;
  const labelsOf = (labels) => labels.map(label).join(" · ");

  // The series of a field, each with a name that no other has.
  function seriesOf(field) {
    const list = [...told.series.values()].filter((series) => series.field === field);
    const plain = (series) => labelsOf(series.labels) || series.query || "all";
    const uses = new Map();
    for (const series of list) uses.set(plain(series), (uses.get(plain(series)) ?? 0) + 1);
    return list.map((series) => {
      const name = plain(series);
      const isShared = uses.get(name) > 1 && series.query && name !== series.query;
      return { ...series, name: isShared ? `${name} (${series.query})` : name };
    });
  }

  // One series of what `combine` makes of all values of a time.
  function combined(id, name, list, combine) {
    const byTime = new Map();
    for (const series of list) {
      series.t.forEach((time, index) => {
        if (series.v[index] === null) return;
        if (!byTime.has(time)) byTime.set(time, []);
        byTime.get(time).push({ series, value: series.v[index] });
      });
    }
    const t = [...byTime.keys()].sort((a, b) => a - b);
    return { id, name, t, v: t.map((time) => combine(byTime.get(time))) };
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  // The score of each window: the mean, should several queries give one.
  function health() {
    const mean = (found) => sum(found.map(({ value }) => value)) / found.length;
    return combined("health", "score", seriesOf("health_score"), mean);
  }

  // Several queries count the requests of one service. Of each service the
  // largest count stands, and only shortest windows count, so that nothing is
  // counted twice; a count of all services stands if it is larger than the sum.
  function volume() {
    const all = seriesOf("request_count");
    const length = Math.min(...all.map((series) => series.length));
    const total = (found) => {
      const services = new Map();
      for (const { series, value } of found) {
        const service = series.labels.find(([name]) => name === "service")?.[1];
        if (!services.has(service)) services.set(service, new Map());
        const queries = services.get(service);
        queries.set(series.query, (queries.get(series.query) ?? 0) + value);
      }
      const largest = (service) => Math.max(...(services.get(service)?.values() ?? [0]));
      const named = [...services.keys()].filter((service) => service !== undefined);
      return Math.max(sum(named.map(largest)), largest(undefined));
    };
    return combined("volume", "requests", all.filter((series) => series.length === length), total);
  }

  return {
    PANELS: ["health_score", "avg_response_time", "error_rate", "request_count", "p95_response_time"],
    reset() { told = structuredClone(NONE); },
    merge({ status, series = [], alerts = [], counts }) {
      told.status = status;
      series.forEach(mergeSeries);
      alerts.forEach((alert) => told.alerts.set(alert.id, alert));
      if (counts) told.counts = counts;
      prune();
    },
    status: () => told.status,
    counts: () => told.counts,
    // Newest first.
    alerts: () => [...told.alerts.values()].sort((a, b) => b.t - a.t || b.id - a.id),
    fields: () => [...new Set([...told.series.values()].map(({ field }) => field))],
    labelsOf, seriesOf, health, volume,
  };
})();
