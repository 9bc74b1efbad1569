// Where a place on the map stands on the screen. Places go from 0 to 65,535, y upwards.

export const RANGE = 65535;
const MARGIN = 26; // pixels around the whole map
const DEEPEST = 400; // times as large as the whole map

export class View {
  constructor() {
    this.width = this.height = 1;
    this.whole();
  }

  whole() {
    this.x = this.y = RANGE / 2;
    this.zoom = 1;
  }

  resize(width, height) {
    this.width = Math.max(width, 1);
    this.height = Math.max(height, 1);
  }

  /** Give the whole map the room that its rows need, whatever their shape. */
  fit(x, y) {
    const ends = (values) =>
      values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [RANGE, 0]);
    [this.wide, this.tall] = [ends(x), ends(y)].map(([low, high]) =>
      Math.max(high - low, RANGE / 50),
    );
  }

  /** Pixels a unit. */
  get scale() {
    const across = (this.width - 2 * MARGIN) / (this.wide ?? RANGE);
    const up = (this.height - 2 * MARGIN) / (this.tall ?? RANGE);
    return Math.max(Math.min(across, up), 1e-4) * this.zoom;
  }

  toScreen(x, y) {
    return [
      this.width / 2 + (x - this.x) * this.scale,
      this.height / 2 - (y - this.y) * this.scale,
    ];
  }

  toMap(left, top) {
    return [
      this.x + (left - this.width / 2) / this.scale,
      this.y - (top - this.height / 2) / this.scale,
    ];
  }

  pan(left, top) {
    this.x = Math.min(Math.max(this.x - left / this.scale, 0), RANGE);
    this.y = Math.min(Math.max(this.y + top / this.scale, 0), RANGE);
  }

  /** Larger by `times`; what lies at the pixel stays there. */
  zoomAt(times, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toMap(left, top);
    this.zoom = Math.min(Math.max(this.zoom * times, 0.5), DEEPEST);
    const [nextX, nextY] = this.toMap(left, top);
    this.x += x - nextX;
    this.y += y - nextY;
    this.pan(0, 0);
  }

  goTo(x, y, zoom) {
    Object.assign(this, { x, y, zoom: Math.max(this.zoom, zoom) });
  }

  /** Of a point, in pixels: smaller where there are many, larger when one looks closely. */
  sizeOf(rows) {
    const usual = Math.min(Math.max(200 / Math.sqrt(rows), 2.4), 9);
    return Math.min(usual * this.zoom ** 0.33, 15);
  }
}
