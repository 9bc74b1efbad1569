// Cluster names on the map: buttons at the middle of their rows; where two would overlap, that of
// the larger cluster stays.

const LIFT = 4; // pixels above the row that the name stands at
const SHORT = 34; // characters of a name on the map

function middle(values) {
  return values.sort((one, other) => one - other)[values.length >> 1];
}

/** The median place of a cluster's rows, moved to the row nearest to it. */
function anchor(rows, x, y) {
  const [atX, atY] = [middle(rows.map((row) => x[row])), middle(rows.map((row) => y[row]))];
  const away = (row) => (x[row] - atX) ** 2 + (y[row] - atY) ** 2;
  const nearest = rows.reduce((best, row) => (away(row) < away(best) ? row : best));
  return [x[nearest], y[nearest]];
}

export function shortened(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;
}

export class Names {
  constructor(box, clusters, members, x, y, choose) {
    this.labels = clusters
      .map((cluster, at) => {
        const button = Object.assign(document.createElement("button"), {
          type: "button",
          textContent: shortened(cluster.name, SHORT),
        });
        button.setAttribute(
          "aria-label",
          `${cluster.name}, ${cluster.rows.toLocaleString("en")} rows`,
        );
        button.addEventListener("click", () => choose(at));
        return {
          button,
          at,
          rows: members[at].length,
          place: members[at].length ? anchor(members[at], x, y) : null,
        };
      })
      .filter((label) => label.place);
    this.labels.sort((one, other) => other.rows - one.rows);
    box.replaceChildren(...this.labels.map((label) => label.button));
  }

  /** Measured once the page is laid out. */
  measure() {
    for (const label of this.labels) {
      label.button.hidden = false;
      [label.width, label.height] = [label.button.offsetWidth, label.button.offsetHeight];
    }
  }

  draw(view, cluster) {
    const taken = [];
    const first = (label) => label.at === cluster;
    for (const label of [
      ...this.labels.filter(first),
      ...this.labels.filter((label) => !first(label)),
    ]) {
      const [x, y] = view.toScreen(...label.place);
      const box = {
        left: x - label.width / 2,
        top: y - label.height - LIFT,
        width: label.width,
        height: label.height,
      };
      inView(box, view);
      const free =
        x > 0 &&
        y > 0 &&
        x < view.width &&
        y < view.height &&
        !taken.some((other) => overlap(box, other));
      label.button.hidden = !free;
      label.button.classList.toggle("faded", cluster !== null && cluster !== label.at);
      moveTo(label.button, box.left, box.top);
      if (free) taken.push(box);
    }
  }
}

export function moveTo(element, left, top) {
  element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

function inView(box, view) {
  box.left = Math.min(Math.max(box.left, 2), view.width - box.width - 2);
  box.top = Math.min(Math.max(box.top, 2), view.height - box.height - 2);
}

function overlap(one, other) {
  return (
    one.left < other.left + other.width &&
    other.left < one.left + one.width &&
    one.top < other.top + other.height &&
    other.top < one.top + one.height
  );
}
