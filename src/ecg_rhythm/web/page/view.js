// The ECG on paper, 25 mm/s and 10 mm/mV; pointer, wheel, keys and buttons move and zoom it.
"use strict";

const PX_PER_MM = 4, MM_PER_SECOND = 25, MM_PER_MV = 10, HEIGHT_MV = 4, MOST_POINTS = 4000;
const PAPER_SECONDS = width => width / (PX_PER_MM * MM_PER_SECOND);

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Steps in base64 -> mV; NaN where samples are missing.
function decoded(signal) {
  const bytes = Uint8Array.from(atob(signal.samples), c => c.charCodeAt(0));
  const steps = new Int16Array(bytes.buffer), mv = new Float32Array(steps.length);
  for (let i = 0; i < steps.length; i++) mv[i] = steps[i] === -32768 ? NaN : steps[i] / signal.steps_per_mv;
  return mv;
}

class Viewer {
  constructor(element, onMove) {
    this.element = element;
    this.onMove = onMove;
    this.plot = null;
    this.shaded = [];
    new ResizeObserver(() => this.resize()).observe(element);
    element.addEventListener("wheel", event => {
      event.preventDefault();
      if (event.ctrlKey || Math.abs(event.deltaY) > Math.abs(event.deltaX)) {
        const at = this.from + (event.offsetX / element.clientWidth) * (this.to - this.from);
        this.zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
      } else this.move(event.deltaX / element.clientWidth);
    }, { passive: false });
    element.addEventListener("pointerdown", event => {
      element.setPointerCapture(event.pointerId);
      this.dragged = { x: event.clientX, from: this.from };
    });
    element.addEventListener("pointermove", event => {
      if (!this.dragged) return;
      const seconds = (event.clientX - this.dragged.x) / element.clientWidth * (this.to - this.from);
      this.show(this.dragged.from - seconds, this.dragged.from - seconds + this.to - this.from);
    });
    for (const end of ["pointerup", "pointercancel"]) element.addEventListener(end, () => { this.dragged = null; });
    element.addEventListener("keydown", event => {
      const action = { ArrowLeft: "back", ArrowRight: "forward", Home: "start", End: "end", "+": "in", "=": "in", "-": "out" }[event.key];
      if (!action) return;
      event.preventDefault();
      this.do(action);
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.plot && this.rebuild());
  }

  load(signal, shaded) {
    this.mv = decoded(signal);
    this.fs = signal.fs;
    this.seconds = this.mv.length / this.fs;
    this.shaded = shaded;
    const sorted = Float32Array.from({ length: Math.min(this.mv.length, 20000) },
      (_, i) => this.mv[Math.floor(i * this.mv.length / Math.min(this.mv.length, 20000))]).filter(v => !isNaN(v)).sort();
    this.middle = sorted.length ? sorted[sorted.length >> 1] : 0;
    this.to = 0;  // of another recording
    this.rebuild();
    this.paper(0);
  }

  rebuild() {
    if (this.plot) this.plot.destroy();
    const axis = { show: false }, width = this.element.clientWidth, height = HEIGHT_MV * MM_PER_MV * PX_PER_MM;
    this.plot = new uPlot({
      width, height, padding: [0, 0, 0, 0], legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false, range: () => [this.middle - HEIGHT_MV / 2, this.middle + HEIGHT_MV / 2] } },
      axes: [axis, axis],
      series: [{}, { stroke: colour("--trace"), width: 1.2, points: { show: false }, spanGaps: false }],
      hooks: { drawClear: [plot => this.drawPaper(plot)] },
    }, [[], []], this.element);
    if (this.to) this.show(this.from, this.to);
  }

  resize() {
    if (!this.plot) return;
    const seconds = this.to - this.from, before = this.plot.width, width = this.element.clientWidth;
    if (width === before || !width) return;
    this.plot.setSize({ width, height: this.plot.height });
    this.show(this.from, this.from + seconds * width / before);
  }

  drawPaper(plot) {
    const { ctx, bbox } = plot, seconds = this.to - this.from;
    ctx.save();
    ctx.fillStyle = colour("--paper");
    ctx.fillRect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.fillStyle = colour("--shade");
    for (const [start, end] of this.shaded) {
      const left = Math.max(plot.valToPos(start, "x", true), bbox.left), right = Math.min(plot.valToPos(end, "x", true), bbox.left + bbox.width);
      if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height);
    }
    const lines = (step, scale, from, to, name, horizontal) => {
      ctx.strokeStyle = colour(name);
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      for (let i = Math.ceil(from / step); i * step <= to; i++) {
        const at = Math.round(plot.valToPos(i * step, scale, true)) + 0.5;
        if (horizontal) { ctx.moveTo(bbox.left, at); ctx.lineTo(bbox.left + bbox.width, at); }
        else { ctx.moveTo(at, bbox.top); ctx.lineTo(at, bbox.top + bbox.height); }
      }
      ctx.stroke();
    };
    const pixels = bbox.width / seconds, low = this.middle - HEIGHT_MV / 2, high = this.middle + HEIGHT_MV / 2;
    if (0.04 * pixels >= 3) { lines(0.04, "x", this.from, this.to, "--fine", false); lines(0.1, "y", low, high, "--fine", true); }
    const coarse = [0.2, 1, 10, 60, 600, 3600].find(step => step * pixels >= 6) || 3600;
    lines(coarse, "x", this.from, this.to, "--coarse", false);
    lines(0.5, "y", low, high, "--coarse", true);
    ctx.restore();
  }

  // Where a pixel has many samples, the lowest and the highest of each group are drawn.
  points(first, last) {
    const count = last - first, every = Math.max(1, Math.ceil(2 * count / MOST_POINTS));
    const xs = [], ys = [];
    if (every === 1) {
      for (let i = first; i < last; i++) { xs.push(i / this.fs); ys.push(isNaN(this.mv[i]) ? null : this.mv[i]); }
      return [xs, ys];
    }
    for (let i = first; i < last; i += every) {
      let low = Infinity, high = -Infinity;
      for (let j = i; j < Math.min(i + every, last); j++) { const v = this.mv[j]; if (v < low) low = v; if (v > high) high = v; }
      const gone = low === Infinity;
      xs.push(i / this.fs, (i + every / 2) / this.fs);
      ys.push(gone ? null : low, gone ? null : high);
    }
    return [xs, ys];
  }

  show(from, to) {
    const length = Math.min(Math.max(to - from, 0.5), Math.max(this.seconds, PAPER_SECONDS(this.element.clientWidth)));
    from = Math.max(0, Math.min(from, this.seconds - length));
    this.from = from;
    this.to = from + length;
    const first = Math.max(Math.floor(this.from * this.fs) - 1, 0), last = Math.min(Math.ceil(this.to * this.fs) + 1, this.mv.length);
    this.plot.batch(() => {
      this.plot.setData(this.points(first, last), false);
      this.plot.setScale("x", { min: this.from, max: this.to });
    });
    this.onMove(this.from, Math.min(this.to, this.seconds));
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.show(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  move(part) {
    const by = part * (this.to - this.from);
    this.show(this.from + by, this.to + by);
  }

  paper(at = this.from || 0) {
    this.show(at, at + PAPER_SECONDS(this.element.clientWidth));
  }

  do(action) {
    const length = this.to - this.from;
    ({
      start: () => this.show(0, length), end: () => this.show(this.seconds - length, this.seconds),
      back: () => this.move(-0.5), forward: () => this.move(0.5), in: () => this.zoom(0.5), out: () => this.zoom(2),
      paper: () => this.paper(), all: () => this.show(0, this.seconds),
    })[action]();
  }
}
