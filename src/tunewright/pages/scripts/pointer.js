// What fingers, mouse and keys do on the map.

const STEP = 60; // pixels of an arrow key
const STILL = 4; // pixels that a click may move

/** acts: pan, zoom, hover, leave, click, lasso(points, done), key(name), hint();
 * lassoing() says whether a drag draws. */
export class Pointer {
  constructor(canvas, acts) {
    Object.assign(this, { canvas, acts, down: new Map(), path: [] });
    for (const name of [
      "pointerdown",
      "pointermove",
      "pointerup",
      "pointercancel",
      "pointerleave",
      "wheel",
      "keydown",
      "dblclick",
    ]) {
      canvas.addEventListener(name, (event) => this[name](event), { passive: false });
    }
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  pointerdown(event) {
    if (event.button > 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.at(event));
    this.moved = 0;
    this.path = this.acts.lassoing() ? [this.at(event)] : [];
    if (!this.acts.lassoing()) this.canvas.classList.add("dragging");
  }

  pointermove(event) {
    const [before, now] = [this.down.get(event.pointerId), this.at(event)];
    if (!before) return this.acts.hover(...now);
    if (this.down.size === 2) return this.pinch(event.pointerId, now);
    this.down.set(event.pointerId, now);
    this.moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (!this.path.length) return this.acts.pan(now[0] - before[0], now[1] - before[1]);
    this.path.push(now);
    this.acts.lasso(this.path, false);
  }

  pinch(finger, now) {
    const [, other] = [...this.down].find(([id]) => id !== finger);
    const before = this.down.get(finger);
    const [was, is] = [before, now].map(([left, top]) =>
      Math.hypot(left - other[0], top - other[1]),
    );
    this.down.set(finger, now);
    this.moved += STILL + 1;
    this.acts.zoom(is / Math.max(was, 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  pointerup(event) {
    const now = this.at(event);
    if (!this.down.delete(event.pointerId)) return;
    this.canvas.classList.remove("dragging");
    if (this.path.length > 2 && this.moved > STILL) this.acts.lasso(this.path, true);
    else if (this.moved <= STILL) this.acts.click(...now);
    this.path = [];
  }

  pointercancel(event) {
    this.down.delete(event.pointerId);
    this.path = [];
    this.canvas.classList.remove("dragging");
  }

  pointerleave() {
    this.acts.leave();
  }

  /** The page scrolls over a map that nobody has clicked. */
  wheel(event) {
    if (document.activeElement !== this.canvas && !event.ctrlKey && !event.metaKey)
      return this.acts.hint();
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.acts.zoom(Math.exp(-event.deltaY * lines * 0.0016), ...this.at(event));
  }

  dblclick(event) {
    this.acts.zoom(2, ...this.at(event));
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = {
      ArrowLeft: [STEP, 0],
      ArrowRight: [-STEP, 0],
      ArrowUp: [0, STEP],
      ArrowDown: [0, -STEP],
    };
    if (arrows[event.key]) this.acts.pan(...arrows[event.key]);
    else if ("+=".includes(event.key)) this.acts.zoom(1.4);
    else if (event.key === "-") this.acts.zoom(1 / 1.4);
    else if (!this.acts.key(event.key)) return;
    event.preventDefault();
  }
}
