// ECG paper: 25 mm/s and 10 mm/mV, a thin line each mm and a thick one each 5 mm.
import { styled } from "./dom.js";

export const MM_PER_SECOND = 25, MM_PER_MV = 10;
const LEAST_PIXELS = 3, THICK_PIXELS = 7;
const THICK_SECONDS = [0.2, 1, 5, 10, 60, 300, 600, 3600, 7200];

/** Draw the paper of an area of a canvas; `x` and `y` say where a time and a voltage are. */
export function drawPaper(context, { left, top, width, height }, [from, to], [low, high], x, y, ratio) {
  context.fillStyle = styled("--paper");
  context.fillRect(left, top, width, height);
  const lines = (step, begin, end, name, line) => {
    context.strokeStyle = styled(name);
    context.lineWidth = ratio;
    context.beginPath();
    for (let i = Math.ceil(begin / step - 1e-9); i * step <= end + 1e-9; i++) line(i * step);
    context.stroke();
  };
  const upright = at => { const p = Math.round(x(at)) + 0.5; context.moveTo(p, top); context.lineTo(p, top + height); };
  const across = at => { const p = Math.round(y(at)) + 0.5; context.moveTo(left, p); context.lineTo(left + width, p); };
  const perSecond = width / (to - from), perMv = height / (high - low);
  if (perSecond / MM_PER_SECOND >= LEAST_PIXELS * ratio) lines(1 / MM_PER_SECOND, from, to, "--fine", upright);
  if (perMv / MM_PER_MV >= LEAST_PIXELS * ratio) lines(1 / MM_PER_MV, low, high, "--fine", across);
  lines(THICK_SECONDS.find(step => step * perSecond >= THICK_PIXELS * ratio) ?? 7200, from, to, "--coarse", upright);
  lines(perMv * 0.5 >= THICK_PIXELS * ratio ? 0.5 : 5, low, high, "--coarse", across);
}
