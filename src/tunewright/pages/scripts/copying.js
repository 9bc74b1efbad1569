// Rows as CSV, and text into the clipboard.

import { valueOf } from "./data.js";

function quoted(value) {
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

export function csv(data, rows) {
  const header = ["line", ...data.columns.map((column) => column.name), "text"];
  const lines = rows.map((row) => [
    String(data.lines[row]),
    ...data.columns.map((column) => valueOf(column, row)),
    data.texts[row],
  ]);
  return [header, ...lines].map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}

/** Where the browser refuses, an old way; false if both fail. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedFromArea(text);
  }
}

function copiedFromArea(text) {
  const area = Object.assign(document.createElement("textarea"), {
    value: text,
    className: "hidden",
    ariaHidden: "true",
  });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

/** Every button with data-copy copies it and says so for a moment. */
export function wireCopyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) flash(button, (await copy(button.dataset.copy)) ? "Copied" : "Not allowed");
  });
}

export function flash(button, words) {
  button.dataset.usual ??= button.textContent;
  button.textContent = words;
  setTimeout(() => {
    button.textContent = button.dataset.usual;
  }, 1600);
}
