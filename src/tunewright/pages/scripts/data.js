// What the page holds, read: arrays and texts were gzipped and written in base64.

const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f8: Float64Array };

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

async function inflated(base64) {
  const stream = new Blob([bytesOf(base64)]).stream();
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function unpacked(packed) {
  return new ARRAYS[packed.type](await inflated(packed.data));
}

async function columnOf(column) {
  const values = column.kind === "number" ? await unpacked(column.values) : column.values;
  return { ...column, values, of: await unpacked(column.of) };
}

/** {rows, lines, x, y, texts, columns, clusters, cut}; places are rows 0 to rows - 1. */
export async function read() {
  const data = JSON.parse(document.getElementById("data").textContent);
  const texts = inflated(document.getElementById("texts").textContent.trim());
  return {
    ...data,
    lines: await unpacked(data.lines),
    x: await unpacked(data.map.x),
    y: await unpacked(data.map.y),
    columns: await Promise.all(data.columns.map(columnOf)),
    texts: JSON.parse(new TextDecoder().decode(await texts)),
  };
}

/** What a column says of a row; "" where it says nothing. */
export function valueOf(column, row) {
  const place = column.of[row];
  return place < column.values.length ? String(column.values[place]) : "";
}
