// The panel beside the map: all clusters, one cluster, or chosen rows.

import { valueOf } from "./data.js";
import { copy, csv, flash } from "./copying.js";
import { shortened } from "./names.js";
import { marked } from "./search.js";

const FREQUENT = 4; // values of a column whose share is said
const LISTED = 100; // rows at once; more on demand

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function amount(number, noun = "row") {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function share(part, all) {
  const hundredths = (100 * part) / all;
  if (hundredths < 0.1) return "less than 0.1 %";
  return `${hundredths.toFixed(hundredths >= 10 ? 0 : 1)} %`;
}

function lastsAs(stability, stable) {
  if (stable) return "other samples of the rows give this cluster again";
  if (stability < 0.8) return "it changes with the sample of the rows: read it as a sketch";
  return "it is found again, but no clearer than chance makes clusters: read it as a sketch";
}

export class Panel {
  /** acts: {cluster(place), row(row), back()} */
  constructor(box, data, acts) {
    Object.assign(this, { box, data, acts });
  }

  show(...children) {
    this.box.replaceChildren(...children);
    this.box.scrollTop = 0;
  }

  overview() {
    const { clusters, rows, lines } = this.data;
    const list = element(
      "ul",
      {},
      ...clusters.map((cluster, at) => this.clusterButton(cluster, at)),
    );
    const title = element("h3", {
      textContent: clusters.length ? amount(clusters.length, "cluster") : amount(lines.length),
    });
    const words = clusters.length
      ? "Choose one here or by its name on the map."
      : "Point at the map, draw a lasso, or search.";
    this.show(title, element("p", { className: "soft", textContent: words }), list);
  }

  clusterButton(cluster, at) {
    const swatch = element("span", { className: `swatch c${at % 24}` });
    const name = element("span", { className: "name", textContent: cluster.name });
    const size = element("span", {
      className: "amount",
      textContent: cluster.rows.toLocaleString("en"),
    });
    const button = element("button", { type: "button" }, swatch, name, size);
    if (cluster.stability && !cluster.stable)
      button.append(element("span", { className: "from", textContent: "not stable" }));
    button.addEventListener("click", () => this.acts.cluster(at));
    return element("li", {}, button);
  }

  cluster(at, rows) {
    const cluster = this.data.clusters[at];
    const swatch = element("span", { className: `swatch c${at % 24}` });
    const terms = element(
      "p",
      { className: "terms" },
      ...cluster.terms.map((term) => element("span", { textContent: term })),
    );
    const sizes = element("p", {
      className: "soft",
      textContent: `${amount(cluster.rows)}, ${share(cluster.rows, this.data.rows)} of all`,
    });
    this.show(
      this.back(),
      element("h3", {}, swatch, cluster.name),
      sizes,
      terms,
      ...this.stability(cluster),
      ...this.labelShares(rows),
      this.copying(rows),
      element("h4", { textContent: "Most central rows" }),
      this.list(cluster.central, []),
    );
  }

  stability({ stability, stable }) {
    if (!stability) return [];
    const [value, low, high] = stability.map((number) => number.toFixed(2));
    const range = low === high ? "" : ` (95 % interval ${low} to ${high})`;
    const words = lastsAs(stability[0], stable);
    const meter = element("meter", {
      min: 0,
      max: 1,
      low: 0.6,
      high: 0.8,
      optimum: 1,
      value: stability[0],
      ariaLabel: "Stability",
    });
    return [
      element("h4", { textContent: "Stability" }),
      meter,
      element("p", { className: "soft", textContent: `${value}${range}: ${words}.` }),
    ];
  }

  /** The most frequent values of each column of labels among the rows, with their shares. */
  labelShares(rows) {
    const columns = this.data.columns.filter(
      (column) => column.kind === "label" && column.coloured === column.values.length,
    );
    return columns.flatMap((column) => {
      const counts = new Map();
      for (const row of rows)
        if (valueOf(column, row) !== "")
          counts.set(valueOf(column, row), (counts.get(valueOf(column, row)) ?? 0) + 1);
      const ranked = [...counts].sort(([, one], [, other]) => other - one).slice(0, FREQUENT);
      if (!ranked.length) return [];
      const words = ranked
        .map(([value, count]) => `${value} (${share(count, rows.length)})`)
        .join(", ");
      return [element("h4", { textContent: column.name }), element("p", { textContent: words })];
    });
  }

  /** rows that were chosen; `title` says how, `words` are marked in them */
  rows(title, rows, words = []) {
    const counts = element("p", {
      className: "soft",
      textContent: `${amount(rows.length)}, ${share(rows.length, this.data.rows)} of all`,
    });
    this.show(
      this.back(),
      element("h3", { textContent: title }),
      counts,
      ...(rows.length
        ? [this.copying(rows), ...this.labelShares(rows), this.list(rows, words)]
        : []),
    );
  }

  back() {
    const button = element("button", {
      type: "button",
      className: "plain",
      textContent: "← All clusters",
    });
    if (!this.data.clusters.length) button.textContent = "← All rows";
    button.addEventListener("click", () => this.acts.back());
    return button;
  }

  copying(rows) {
    const button = element("button", {
      type: "button",
      className: "rows",
      textContent: `Copy ${amount(rows.length)} as CSV`,
    });
    const acts = element("div", { className: "acts" }, button);
    button.addEventListener("click", async () => {
      const text = csv(this.data, rows);
      if (await copy(text)) flash(button, "Copied");
      else
        acts.append(
          element("textarea", { value: text, readOnly: true, ariaLabel: "The rows as CSV" }),
        );
    });
    if (this.data.cut)
      acts.append(
        element("p", {
          className: "soft",
          textContent: `Texts are cut at ${this.data.cut} characters: the line finds the whole.`,
        }),
      );
    return acts;
  }

  list(rows, words, from = 0) {
    const list = element(
      "ul",
      {},
      ...rows.slice(from, from + LISTED).map((row) => this.row(row, words)),
    );
    if (rows.length > from + LISTED) list.append(this.more(list, rows, words, from + LISTED));
    return list;
  }

  more(list, rows, words, from) {
    const button = element("button", {
      type: "button",
      className: "plain",
      textContent: `${amount(rows.length - from, "more row")}`,
    });
    const item = element("li", {}, button);
    button.addEventListener("click", () =>
      item.replaceWith(...this.list(rows, words, from).children),
    );
    return item;
  }

  row(row, words) {
    const { clusterColumn, texts } = this.data;
    const place = clusterColumn?.of[row];
    const colour = place < this.data.clusters.length ? `c${place % 24}` : "none";
    const button = element(
      "button",
      { type: "button", ariaExpanded: "false" },
      element("span", { className: `swatch ${colour}` }),
      element("span", { className: "text" }, ...marked(texts[row] || "(empty)", words)),
      element("span", { className: "from", textContent: this.facts(row) }),
    );
    button.addEventListener("click", () => {
      button.ariaExpanded = button.ariaExpanded === "true" ? "false" : "true";
      this.acts.row(row);
    });
    return element("li", {}, button);
  }

  facts(row) {
    return [this.lineOf(row), ...this.valuesOf(row)].join(" · ");
  }

  lineOf(row) {
    return `line ${this.data.lines[row].toLocaleString("en")}`;
  }

  valuesOf(row) {
    const known = this.data.columns.filter(
      (column) => column.kind !== "cluster" && valueOf(column, row) !== "",
    );
    return known.map((column) => `${column.name}: ${valueOf(column, row)}`);
  }

  /** Of what is said where a row is pointed at: its line and cluster, its text, its values. */
  tip(row, most) {
    const { clusterColumn, texts } = this.data;
    const cluster = clusterColumn ? [valueOf(clusterColumn, row) || "no cluster"] : [];
    return [
      element("b", { textContent: [this.lineOf(row), ...cluster].join(" · ") }),
      shortened(texts[row] || "(empty)", most),
      element("small", { textContent: this.valuesOf(row).join(" · ") }),
    ];
  }
}
