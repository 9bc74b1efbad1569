// The layer of points: WebGL2, and a plain canvas where there is none.
// Both are given x, y [n], colours [4 n] (red, green, blue, alpha) and the order of drawing [n].

const ROUND = 20000; // points up to which the plain canvas draws circles

const VERTEX = `#version 300 es
in vec2 place; in vec4 colour;
uniform vec2 centre, scale; uniform float size;
out vec4 shown;
void main() {
  gl_Position = vec4((place - centre) * scale, 0.0, 1.0);
  gl_PointSize = size + 1.0;
  shown = colour;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 shown; uniform float size; out vec4 pixel;
void main() {
  float away = length(gl_PointCoord - 0.5) * (size + 1.0);
  float alpha = shown.a * (1.0 - smoothstep(size * 0.5 - 0.5, size * 0.5 + 0.5, away));
  if (alpha <= 0.0) discard;
  pixel = vec4(shown.rgb * alpha, alpha);
}`;

function compiled(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.bindAttribLocation(program, 0, "place");
  gl.bindAttribLocation(program, 1, "colour");
  gl.linkProgram(program);
  return gl.getProgramParameter(program, gl.LINK_STATUS) ? program : null;
}

class Drawn {
  constructor(gl, program, x, y) {
    Object.assign(this, { gl, program });
    this.places = new Uint16Array(2 * x.length);
    x.forEach((value, row) => {
      this.places[2 * row] = value;
      this.places[2 * row + 1] = y[row];
    });
    [this.placesBuffer, this.coloursBuffer, this.orderBuffer] = [0, 0, 0].map(() =>
      gl.createBuffer(),
    );
    gl.bindBuffer(gl.ARRAY_BUFFER, this.placesBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.places, gl.STATIC_DRAW);
    gl.vertexAttribPointer(0, 2, gl.UNSIGNED_SHORT, false, 0, 0);
    gl.enableVertexAttribArray(0);
    gl.enableVertexAttribArray(1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  }

  colour(colours, order) {
    const gl = this.gl;
    this.rows = order.length;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.coloursBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, colours, gl.DYNAMIC_DRAW);
    gl.vertexAttribPointer(1, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.orderBuffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
  }

  draw(view, size, ratio) {
    const { gl, program } = this;
    const at = (name) => gl.getUniformLocation(program, name);
    gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(program);
    gl.uniform2f(at("centre"), view.x, view.y);
    gl.uniform2f(at("scale"), (2 * view.scale) / view.width, (2 * view.scale) / view.height);
    gl.uniform1f(at("size"), size * ratio);
    gl.drawElements(gl.POINTS, this.rows, gl.UNSIGNED_INT, 0);
  }
}

class Painted {
  constructor(context, x, y) {
    Object.assign(this, { context, x, y });
  }

  /** Round where there are few; squares are painted three times as fast. */
  dot(left, top, size) {
    if (this.x.length > ROUND)
      return this.context.fillRect(left - size / 2, top - size / 2, size, size);
    this.context.beginPath();
    this.context.arc(left, top, size / 2, 0, 7);
    this.context.fill();
  }

  colour(colours, order) {
    Object.assign(this, { colours, order });
  }

  draw(view, size, ratio) {
    const { context, colours } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    for (const row of this.order) {
      const [left, top] = view.toScreen(this.x[row], this.y[row]);
      if (left < -size || top < -size || left > view.width + size || top > view.height + size)
        continue;
      const [red, green, blue, alpha] = colours.subarray(4 * row, 4 * row + 4);
      context.fillStyle = `rgb(${red} ${green} ${blue} / ${alpha / 255})`;
      this.dot(left, top, size);
    }
  }
}

/** Draws on the canvas; `.kind` says how. */
export class Points {
  constructor(canvas, x, y) {
    Object.assign(this, { canvas, x, y });
    this.begin();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.begin();
      this.again?.();
    });
  }

  begin() {
    const gl = this.canvas.getContext("webgl2", { preserveDrawingBuffer: true, antialias: false });
    const program = gl && compiled(gl);
    this.kind = program ? "webgl2" : "2d";
    if (program) this.layer = new Drawn(gl, program, this.x, this.y);
    else this.layer = new Painted(this.plain(gl).getContext("2d"), this.x, this.y);
  }

  /** A canvas that had one kind of context never gets another. */
  plain(gl) {
    if (gl) {
      const other = this.canvas.cloneNode();
      this.canvas.replaceWith(other);
      this.canvas = other;
    }
    return this.canvas;
  }

  colour(colours, order) {
    this.again = () => this.layer.colour(colours, order);
    this.again();
  }

  draw(view) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height)
      Object.assign(this.canvas, { width, height });
    this.layer.draw(view, view.sizeOf(this.x.length), ratio);
  }
}
