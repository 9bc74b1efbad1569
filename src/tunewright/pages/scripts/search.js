// Search in the page: rows that hold every word that was typed, upper and lower case alike.

export class Search {
  constructor(texts) {
    this.texts = texts;
  }

  /** Rows in order. Scripts without spaces are searched as they are typed. */
  find(typed) {
    this.lowered ??= this.texts.map((text) => text.toLowerCase());
    const words = wordsOf(typed);
    const found = [];
    this.lowered.forEach((text, row) => {
      if (words.every((word) => text.includes(word))) found.push(row);
    });
    return found;
  }
}

export function wordsOf(typed) {
  return typed.toLowerCase().split(/\s+/).filter(Boolean);
}

/** The text as nodes, with the words marked. */
export function marked(text, words) {
  const lowered = text.toLowerCase();
  if (!words.length || lowered.length !== text.length) return [text];
  const nodes = [];
  let at = 0;
  while (at < text.length) {
    const [start, word] = next(lowered, words, at);
    if (start < 0) break;
    const mark = Object.assign(document.createElement("mark"), {
      textContent: text.slice(start, start + word.length),
    });
    nodes.push(text.slice(at, start), mark);
    at = start + word.length;
  }
  return [...nodes, text.slice(at)];
}

function next(lowered, words, from) {
  const places = words
    .map((word) => [lowered.indexOf(word, from), word])
    .filter(([start]) => start >= 0);
  return places.sort((one, other) => one[0] - other[0])[0] ?? [-1, ""];
}
