"use strict";

// Numbers and times as the page writes them.
const write = (() => {
  const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
  const large = new Intl.NumberFormat("en", { maximumSignificantDigits: 9, maximumFractionDigits: 2 });
  const two = (number) => String(number).padStart(2, "0");
  const date = (ms) => new Date(ms).toISOString();
  return {
    number(value) {
      if (value === null || value === undefined) return "–";
      const size = Math.abs(value);
      const isHandy = size === 0 || (size >= 1e-5 && size < 1e15);
      if (!isHandy) return value.toExponential(4);
      return (size < 1000 ? small : large).format(value);
    },
    time: (ms) => date(ms).slice(0, 19).replace("T", " "),
    // Marks of an axis that are `step` seconds apart.
    mark(seconds, step) {
      const time = new Date(seconds * 1000);
      const clock = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
      if (seconds % 86400 === 0 || step >= 86400) return time.toISOString().slice(5, 10);
      return step < 60 ? `${clock}:${two(time.getUTCSeconds())}` : clock;
    },
  };
})();

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// A chart with its legend and a table of its newest values.
class Chart {
  static COLOURS = 8;
  static DASHES = [[], [8, 4], [2, 3], [9, 3, 2, 3]];

  constructor(host, { title, unit = "", height = 200, range, withLegend = true }) {
    Object.assign(this, { title, unit, height, range, withLegend });
    this.list = [];
    this.ranks = new Map();
    this.off = new Set();
    this.items = new Map();
    this.at = null;
    this.plot = element("div", { className: "plot" });
    this.plot.setAttribute("role", "img");
    this.legend = element("ul", { className: "legend" });
    this.legend.setAttribute("aria-label", `${title}: series; press one to hide it`);
    this.values = element("tbody");
    const head = element("tr");
    for (const name of ["Series", "Newest value", "At, UTC"]) {
      head.append(element("th", { scope: "col", textContent: name }));
    }
    this.table = element("details", { className: "values" },
      element("summary", { textContent: "Newest values as a table" }),
      element("table", {}, element("thead", {}, head), this.values));
    this.table.addEventListener("toggle", () => this.drawTable());
    host.replaceChildren(this.plot, ...(withLegend ? [this.legend] : []), this.table);
    new ResizeObserver(() => this.fit()).observe(this.plot);
  }

  // How a series is drawn stays the same as long as it is there. Colours and
  // dashes go round at different speeds, so that either alone tells neighbours
  // apart.
  rank(id) {
    if (!this.ranks.has(id)) this.ranks.set(id, this.ranks.size);
    return this.ranks.get(id);
  }

  colour(id) { return this.rank(id) % Chart.COLOURS; }

  dash(id) {
    const rank = this.rank(id);
    return Chart.DASHES[(rank + Math.floor(rank / Chart.COLOURS)) % Chart.DASHES.length];
  }

  show(list) {
    this.list = list;
    const ids = list.map(({ id }) => id);
    for (const id of [...this.ranks.keys()]) if (!ids.includes(id)) this.off.delete(id);
    this.data = this.align();
    const shape = JSON.stringify([ids, [...this.off]]);
    if (this.chart && shape === this.shape) {
      this.chart.setData(this.data);
    } else {
      this.shape = shape;
      this.draw();
    }
    this.drawLegend();
    this.drawTable();
    this.describe();
  }

  text(value) {
    const number = write.number(value);
    return value === null || value === undefined || !this.unit ? number : `${number} ${this.unit}`;
  }

  newest(series) {
    const at = series.t.length - 1;
    return { value: series.v[at], at: series.t[at] };
  }

  // One column of times, then one of values per series. A missing value is
  // undefined, which the line runs through; null breaks it, and stands where a
  // series has been silent for longer than it usually is.
  align() {
    const broken = this.list.map(({ t, v }) => {
      const points = new Map();
      let step = Infinity;
      for (let i = 1; i < t.length; i++) step = Math.min(step, t[i] - t[i - 1]);
      t.forEach((time, i) => {
        points.set(time, v[i]);
        if (t[i + 1] - time > 2.5 * step) points.set(time + step, null);
      });
      return points;
    });
    const times = [...new Set(broken.flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
    return [
      times.map((time) => time / 1000),
      ...broken.map((points) => times.map((time) => points.get(time))),
    ];
  }

  draw() {
    this.chart?.destroy();
    this.chart = null;
    const width = this.plot.clientWidth;
    if (width === 0 || this.list.length === 0) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = {
      stroke: colour("--soft"), font, grid: { stroke: colour("--grid"), width: 1 },
      ticks: { stroke: colour("--line"), width: 1 },
    };
    this.chart = new uPlot({
      width, height: this.height,
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false } },
      scales: { x: { time: true, range: Chart.span }, y: { range: this.range ?? Chart.fromZero } },
      axes: [
        { ...axis, size: 34, values: (_, marks, __, ___, step) => marks.map((mark) => write.mark(mark, step)) },
        { ...axis, size: 64, values: (_, marks) => marks.map(write.number) },
      ],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      series: [{}, ...this.list.map(({ id }) => ({
        stroke: colour(`--s${this.colour(id)}`), width: 2, dash: this.dash(id),
        show: !this.off.has(id), points: { size: 5 },
      }))],
      hooks: { setCursor: [(chart) => this.point(chart.cursor.idx)] },
    }, this.data, this.plot);
  }

  static fromZero(_, low, high) {
    if (low === null || high === null) return [0, 1];
    const from = Math.min(0, low), to = Math.max(0, high);
    const air = (to - from || 1) * 0.08;
    return [from < 0 ? from - air : 0, to > 0 || from === 0 ? to + air : 0];
  }

  // A lone point has some time around it.
  static span(_, low, high) {
    if (low === null || high === null) return [0, 1];
    return high > low ? [low, high] : [low - 60, high + 60];
  }

  fit() {
    const width = this.plot.clientWidth;
    if (width === 0) return;
    if (!this.chart) return this.draw();
    if (this.chart.width !== width) this.chart.setSize({ width, height: this.height });
  }

  // The pointer is over a time, or over none: the legend tells its values.
  point(index) {
    const at = index ?? null;
    if (at === this.at) return;
    this.at = at;
    this.drawLegend();
  }

  drawLegend() {
    if (!this.withLegend) return;
    const ids = new Set(this.list.map(({ id }) => id));
    for (const [id, item] of this.items) {
      if (!ids.has(id)) {
        item.line.remove();
        this.items.delete(id);
      }
    }
    this.list.forEach((series, index) => {
      const item = this.items.get(series.id) ?? this.addItem(series.id);
      const value = this.at === null ? this.newest(series).value : this.data[index + 1]?.[this.at];
      item.name.textContent = series.name;
      item.value.textContent = this.text(value);
      item.button.setAttribute("aria-pressed", String(!this.off.has(series.id)));
    });
  }

  addItem(id) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const stroke = document.createElementNS("http://www.w3.org/2000/svg", "line");
    for (const [name, value] of Object.entries({
      x1: 0, x2: 28, y1: 4, y2: 4, "stroke-width": 3, "stroke-dasharray": this.dash(id).join(" "),
      class: `c${this.colour(id)}`,
    })) stroke.setAttribute(name, value);
    svg.setAttribute("viewBox", "0 0 28 8");
    svg.setAttribute("aria-hidden", "true");
    svg.append(stroke);
    const name = element("span"), value = element("b");
    const button = element("button", { type: "button" }, svg, name, value);
    button.addEventListener("click", () => {
      if (!this.off.delete(id)) this.off.add(id);
      this.show(this.list);
    });
    const item = { line: element("li", {}, button), button, name, value };
    this.legend.append(item.line);
    this.items.set(id, item);
    return item;
  }

  drawTable() {
    if (!this.table.open) return;
    this.values.replaceChildren(...this.list.map((series) => {
      const { value, at } = this.newest(series);
      return element("tr", {},
        element("th", { scope: "row", textContent: series.name }),
        element("td", { className: "number", textContent: value === null ? "–" : String(value) }),
        element("td", { className: "time", textContent: at === undefined ? "–" : write.time(at) }));
    }));
  }

  describe() {
    const some = this.list.slice(0, 8)
      .map((series) => `${series.name} ${this.text(this.newest(series).value)}`);
    const rest = this.list.length - some.length;
    if (rest > 0) some.push(`and ${rest} more`);
    this.plot.setAttribute("aria-label", `${this.title}, newest values: ${some.join(", ") || "none"}`);
  }
}
