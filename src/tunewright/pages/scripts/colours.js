// A colour for each row by one column, and the legend that explains it.

const COLOURS = 24; // of the style sheet: --c0 to --c23; --none for the rest
const DIM = 26; // alpha of rows that are not chosen, of 255
const SCALE = [
  [59, 54, 130],
  [54, 110, 164],
  [41, 157, 143],
  [126, 196, 92],
  [247, 215, 76],
]; // low to high

function fromStyle(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function onScale(share) {
  const at = share * (SCALE.length - 1);
  const low = Math.min(Math.floor(at), SCALE.length - 2);
  return SCALE[low].map((value, channel) =>
    Math.round(value + (SCALE[low + 1][channel] - value) * (at - low)),
  );
}

/** [colour of each place among the column's values, the last one for rows without a value] */
function palette(column) {
  const none = fromStyle("--none");
  if (column.kind === "number") return [...numberColours(column.values), none];
  const some = Array.from({ length: COLOURS }, (_, at) => fromStyle(`--c${at}`));
  const coloured = column.coloured ?? column.values.length;
  return [...column.values.map((_, at) => (at < coloured ? some[at % COLOURS] : none)), none];
}

/** By value between the 1st and the 99th of a hundred: one stray number must not set the scale. */
function numberColours(values) {
  const [low, high] = ends(values);
  return Array.from(values, (value) =>
    onScale(high > low ? Math.min(Math.max((value - low) / (high - low), 0), 1) : 0.5),
  );
}

function ends(values) {
  if (values.length < 100) return [values[0], values[values.length - 1]];
  return [values[Math.floor(values.length * 0.01)], values[Math.ceil(values.length * 0.99) - 1]];
}

/** [4 n] bytes, and the order of drawing: what is not chosen lies below.
 * chosen: [n], 1 or 0, or null. */
export function coloured(column, rows, chosen) {
  const bytes = palette(column);
  const usual = rows > 30000 ? 170 : rows > 5000 ? 200 : 225;
  const [bright, dim] = [chosen ? 245 : usual, DIM].map((alpha) =>
    Uint32Array.from(bytes, (colour) => pixel(colour, alpha)),
  );
  const [pixels, of, last] = [new Uint32Array(rows), column.of, bytes.length - 1];
  for (let row = 0; row < rows; row++) {
    const place = of[row] < last ? of[row] : last;
    pixels[row] = chosen && !chosen[row] ? dim[place] : bright[place];
  }
  return { colours: new Uint8Array(pixels.buffer), order: ordered(column, rows, chosen) };
}

/** Four bytes as one number, the first byte lowest. */
function pixel([red, green, blue], alpha) {
  return (red | (green << 8) | (blue << 16) | (alpha << 24)) >>> 0;
}

/** Four layers, from below: not chosen without and with a value, chosen without and with one. */
function ordered(column, rows, chosen) {
  const [order, of, valued] = [new Uint32Array(rows), column.of, column.values.length];
  const layer = (row) => (chosen && chosen[row] ? 2 : 0) + (of[row] < valued ? 1 : 0);
  const next = [0, 0, 0, 0, 0];
  for (let row = 0; row < rows; row++) next[layer(row) + 1]++;
  for (let at = 1; at < 4; at++) next[at] += next[at - 1];
  for (let row = 0; row < rows; row++) order[next[layer(row)]++] = row;
  return order;
}

function ramp() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 190, height: 10 });
  const context = canvas.getContext("2d");
  for (let at = 0; at < canvas.width; at++) {
    context.fillStyle = `rgb(${onScale(at / canvas.width).join(" ")})`;
    context.fillRect(at, 0, 1, canvas.height);
  }
  return canvas;
}

function spoken(number) {
  return Number(number.toPrecision(6)).toLocaleString("en");
}

function numberLegend(column) {
  const [low, high] = ends(column.values);
  const labels = document.createElement("span");
  labels.className = "ends";
  labels.append(
    ...[low, high].map((value) =>
      Object.assign(document.createElement("span"), { textContent: spoken(value) }),
    ),
  );
  const title = Object.assign(document.createElement("span"), { textContent: column.name });
  return [title, ramp(), labels];
}

function swatched(text, colour, act) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.append(
    Object.assign(document.createElement("span"), { className: `swatch ${colour}` }),
    text,
  );
  button.addEventListener("click", act);
  return button;
}

/** Fills `box`; `choose(rows, words)` is called where somebody picks a value. Clusters have their
 * names on the map. */
export function explain(box, column, rowsOf, choose) {
  const parts = column.kind === "number" ? (column.values.length ? numberLegend(column) : []) : [];
  if (column.kind === "label") parts.push(...labelLegend(column, rowsOf, choose));
  box.replaceChildren(...parts);
  box.classList.toggle("filled", parts.length > 0);
}

function labelLegend(column, rowsOf, choose) {
  const pick = (colour, text, from, to) => {
    const rows = rowsOf(column, from, to);
    return swatched(`${text} (${rows.length.toLocaleString("en")})`, colour, () =>
      choose(rows, `${column.name}: ${text}`),
    );
  };
  const named = column.values
    .slice(0, column.coloured)
    .map((value, at) => pick(`c${at % COLOURS}`, value || "(empty)", at, at + 1));
  const others = column.values.length - column.coloured;
  if (others > 0)
    named.push(
      pick(
        "none",
        `${others.toLocaleString("en")} other values`,
        column.coloured,
        column.values.length,
      ),
    );
  return named;
}
