// The explore report: reads what the page holds and lets the map, the panel and the search tell it.

import { read } from "./data.js";
import { View } from "./view.js";
import { Points } from "./points.js";
import { Places } from "./places.js";
import { coloured, explain } from "./colours.js";
import { Names, moveTo } from "./names.js";
import { Search, wordsOf } from "./search.js";
import { wireCopyButtons } from "./copying.js";
import { Panel } from "./panel.js";
import { Pointer } from "./pointer.js";

const TIP = 320; // characters of a text where it is pointed at
const REACH = 14; // pixels around the pointer in which a row is found
const byId = (id) => document.getElementById(id);

class Explorer {
  constructor(data) {
    Object.assign(this, {
      data,
      column: data.columns[0],
      chosen: null,
      cluster: null,
      row: -1,
      lassoing: false,
    });
    data.clusterColumn = data.columns.find((column) => column.kind === "cluster");
    this.members = membersOf(data);
    this.view = new View();
    this.view.fit(data.x, data.y);
    this.points = new Points(byId("points"), data.x, data.y);
    this.places = new Places(data.x, data.y);
    this.search = new Search(data.texts);
    this.names = new Names(byId("names"), data.clusters, this.members, data.x, data.y, (at) =>
      this.chooseCluster(at),
    );
    this.panel = new Panel(byId("panel"), data, {
      cluster: (at) => this.chooseCluster(at),
      row: (row) => this.goTo(row),
      back: () => this.clear(),
    });
    new Pointer(byId("marks"), this.acts());
    this.wire();
    this.panel.overview();
    this.colour();
    this.resize();
  }

  acts() {
    const changed =
      (change) =>
      (...given) => {
        change(...given);
        this.forgetRow();
        this.draw();
      };
    return {
      pan: changed((left, top) => this.view.pan(left, top)),
      zoom: changed((times, left, top) => this.view.zoomAt(times, left, top)),
      hover: (left, top) => this.point(this.rowAt(left, top)),
      leave: () => this.point(-1),
      click: (left, top) => this.click(this.rowAt(left, top)),
      lasso: (path, done) => this.lasso(path, done),
      lassoing: () => this.lassoing,
      key: (name) => this.key(name),
      hint: () => this.hint(),
    };
  }

  wire() {
    const columns = this.data.columns.map((column) => new Option(column.name, column.name));
    byId("column").replaceChildren(...(columns.length ? columns : [new Option("none", "")]));
    byId("column").addEventListener("change", (event) => this.colourBy(event.target.selectedIndex));
    byId("search").addEventListener("input", (event) =>
      this.soon(() => this.find(event.target.value)),
    );
    byId("lasso").addEventListener("click", () => this.setLasso(!this.lassoing));
    byId("visible").addEventListener("click", () => this.chooseVisible());
    byId("clear").addEventListener("click", () => this.clear());
    byId("in").addEventListener("click", () => this.acts().zoom(1.6));
    byId("out").addEventListener("click", () => this.acts().zoom(1 / 1.6));
    byId("whole").addEventListener("click", () => this.whole());
    document.addEventListener("click", (event) => this.show(event.target.closest("button.show")));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.colour());
    new ResizeObserver(() => this.resize()).observe(byId("frame"));
    window.addEventListener("beforeprint", () => this.printing(true));
    window.addEventListener("afterprint", () => this.printing(false));
    byId("points").addEventListener("webglcontextrestored", () => this.draw());
  }

  /** On paper the map has a size of its own, for which it is drawn before the paper is laid out. */
  printing(on) {
    byId("explorer").classList.toggle("printed", on);
    this.resize();
  }

  soon(act) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(act, 120);
  }

  resize() {
    this.view.resize(byId("frame").clientWidth, byId("frame").clientHeight);
    this.names.measure();
    this.paint();
  }

  colourBy(at) {
    this.column = this.data.columns[at];
    this.colour();
  }

  colour() {
    const column = this.column ?? {
      kind: "label",
      name: "",
      values: [],
      coloured: 0,
      of: new Uint8Array(this.data.rows),
    };
    const { colours, order } = coloured(column, this.data.rows, this.chosen);
    this.points.colour(colours, order);
    explain(byId("legend"), column, rowsWith, (rows, words) => this.choose(rows, words));
    this.draw();
  }

  /** Once a frame, however many things have changed. */
  draw() {
    this.frame ??= requestAnimationFrame(() => this.paint());
  }

  /** At once: no frame comes while a page is printed. */
  paint() {
    this.frame = null;
    this.points.draw(this.view);
    this.names.draw(this.view, this.cluster);
    this.mark();
  }

  /** A ring around the row that is pointed at, and the lasso. */
  mark(path = []) {
    const [canvas, ratio] = [byId("marks"), window.devicePixelRatio || 1];
    Object.assign(canvas, {
      width: Math.round(this.view.width * ratio),
      height: Math.round(this.view.height * ratio),
    });
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--ink");
    if (this.row >= 0)
      ring(
        context,
        this.view.toScreen(this.data.x[this.row], this.data.y[this.row]),
        this.view.sizeOf(this.data.rows),
      );
    if (path.length) outline(context, path);
  }

  rowAt(left, top) {
    const reach = REACH / this.view.scale;
    return this.places.nearest(...this.view.toMap(left, top), reach, (row) => this.isChosen(row));
  }

  isChosen(row) {
    return !this.chosen || this.chosen[row] === 1;
  }

  point(row) {
    if (row === this.row) return;
    this.row = row;
    this.tell(row);
    this.mark();
  }

  tell(row) {
    const tip = byId("tip");
    tip.hidden = row < 0;
    if (row < 0) return;
    tip.replaceChildren(...this.panel.tip(row, TIP));
    this.placeTip(tip, this.view.toScreen(this.data.x[row], this.data.y[row]));
  }

  placeTip(tip, [left, top]) {
    const across =
      left + 14 + tip.offsetWidth > this.view.width ? left - 14 - tip.offsetWidth : left + 14;
    const down =
      top + 14 + tip.offsetHeight > this.view.height ? top - 14 - tip.offsetHeight : top + 14;
    moveTo(tip, Math.max(across, 4), Math.max(down, 4));
  }

  forgetRow() {
    this.row = -1;
    byId("tip").hidden = true;
  }

  click(row) {
    if (row < 0) return this.clear();
    const place = this.data.clusterColumn?.of[row];
    if (place < this.data.clusters.length) this.chooseCluster(place);
    else this.choose([row], `Line ${this.data.lines[row].toLocaleString("en")}`);
  }

  chooseCluster(at) {
    this.cluster = at;
    this.chosen = maskOf(this.members[at], this.data.rows);
    this.panel.cluster(at, this.members[at]);
    this.say(`Cluster ${this.data.clusters[at].name}, ${this.members[at].length} rows`);
    this.colour();
  }

  choose(rows, title, words = []) {
    this.cluster = null;
    this.chosen = maskOf(rows, this.data.rows);
    this.panel.rows(title, rows, words);
    this.say(`${title}: ${rows.length} rows`);
    this.forgetRow();
    this.colour();
  }

  clear() {
    Object.assign(this, { cluster: null, chosen: null });
    byId("search").value = "";
    this.setLasso(false);
    this.forgetRow();
    this.panel.overview();
    this.say("All rows");
    this.colour();
  }

  find(typed) {
    const words = wordsOf(typed);
    if (!words.length) return this.clear();
    this.choose(this.search.find(typed), `Rows with “${typed.trim()}”`, words);
  }

  setLasso(on) {
    this.lassoing = on;
    byId("lasso").setAttribute("aria-pressed", String(on));
    byId("marks").classList.toggle("drawing", on);
  }

  lasso(path, done) {
    if (!done) return this.mark(path);
    this.setLasso(false);
    this.choose(
      this.places.inside(path.map(([left, top]) => this.view.toMap(left, top))),
      "Rows in the lasso",
    );
  }

  chooseVisible() {
    const { width, height } = this.view;
    const corners = [
      [0, 0],
      [width, 0],
      [width, height],
      [0, height],
    ].map(([left, top]) => this.view.toMap(left, top));
    this.choose(this.places.inside(corners), "Rows that were in view");
  }

  whole() {
    this.view.whole();
    this.forgetRow();
    this.draw();
  }

  goTo(row) {
    this.view.goTo(this.data.x[row], this.data.y[row], 3);
    this.row = row;
    this.tell(row);
    this.draw();
  }

  show(button) {
    if (!button) return;
    byId("explorer").scrollIntoView({ block: "start" });
    this.goTo(Number(button.dataset.row));
    byId("marks").focus({ preventScroll: true });
  }

  key(name) {
    if (name === "0") this.whole();
    else if (name === "Escape") this.clear();
    else if (name === "n" || name === "N") this.next();
    else if (name === "Enter" && this.row >= 0) this.click(this.row);
    else return false;
    return true;
  }

  /** The next row in view, so that the map can be read by keys alone. */
  next() {
    const corners = [this.view.toMap(0, this.view.height), this.view.toMap(this.view.width, 0)];
    const seen = [];
    this.places.within(...corners[0], ...corners[1], (row) => {
      if (this.isChosen(row)) seen.push(row);
    });
    seen.sort((one, other) => one - other);
    this.point(seen.find((row) => row > this.row) ?? seen[0] ?? -1);
    if (this.row >= 0) this.say(byId("tip").textContent);
  }

  hint() {
    byId("hint").hidden = false;
    clearTimeout(this.hinting);
    this.hinting = setTimeout(() => {
      byId("hint").hidden = true;
    }, 1400);
  }

  say(words) {
    byId("said").textContent = words;
  }
}

function membersOf({ clusters, clusterColumn, rows }) {
  const members = clusters.map(() => []);
  for (let row = 0; row < rows && clusterColumn; row++) members[clusterColumn.of[row]]?.push(row);
  return members;
}

function maskOf(rows, all) {
  const mask = new Uint8Array(all);
  for (const row of rows) mask[row] = 1;
  return mask;
}

function rowsWith(column, from, to) {
  const rows = [];
  column.of.forEach((place, row) => {
    if (place >= from && place < to) rows.push(row);
  });
  return rows;
}

function ring(context, [left, top], size) {
  context.lineWidth = 2;
  context.beginPath();
  context.arc(left, top, size / 2 + 4, 0, 2 * Math.PI);
  context.stroke();
}

function outline(context, path) {
  context.lineWidth = 1.5;
  context.setLineDash([5, 4]);
  context.beginPath();
  path.forEach(([left, top]) => context.lineTo(left, top));
  context.closePath();
  context.stroke();
}

async function begin() {
  wireCopyButtons();
  if (!byId("explorer")) return;
  try {
    const data = await read();
    byId("explorer").hidden = false;
    new Explorer(data);
    for (const button of document.querySelectorAll("button.show")) button.hidden = false;
  } catch (error) {
    byId("failed").textContent =
      `The map cannot be shown in this browser: ${error.message}. ` +
      "Everything else of this page stands below.";
    byId("failed").hidden = false;
    throw error;
  }
}

begin();
