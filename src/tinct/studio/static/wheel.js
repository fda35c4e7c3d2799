// The wheel: every color that a place of this lightness can have, and no other.

import { fromHex, toHex, toLab, toRgb } from "./lab.js";

const REACH = 90;         // chroma at the rim
const wheel = document.getElementById("wheel");
const mark = document.getElementById("wheel-mark");
const state = { lightness: 60, a: 0, b: 0, pick: () => {} };

export function onPick(pick) { state.pick = pick; }

// The most chroma of a hue at this lightness, up to what is asked for.
function within(a, b) {
  let share = 1;
  while (share > 0 && !toRgb([state.lightness, a * share, b * share])) share -= 0.02;
  return [a * Math.max(share, 0), b * Math.max(share, 0)];
}

function place() {
  mark.style.left = `${50 + (50 * state.a) / REACH}%`;
  mark.style.top = `${50 - (50 * state.b) / REACH}%`;
  const chroma = Math.hypot(state.a, state.b);
  const hue = Math.round(((Math.atan2(state.b, state.a) * 180) / Math.PI + 360) % 360);
  wheel.setAttribute("aria-valuenow", String(hue));
  wheel.setAttribute("aria-valuetext", `hue ${hue} degrees, chroma ${Math.round(chroma)}, lightness ${Math.round(state.lightness)}`);
}

export function draw(lightness) {
  state.lightness = Math.min(97, Math.max(3, lightness));
  const pen = wheel.getContext("2d");
  const side = wheel.width;
  const pixels = pen.createImageData(side, side);
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const a = ((2 * (column + 0.5)) / side - 1) * REACH, b = (1 - (2 * (row + 0.5)) / side) * REACH;
      const rgb = toRgb([state.lightness, a, b]);
      if (rgb) pixels.data.set([...rgb, 255], 4 * (row * side + column));
    }
  }
  pen.putImageData(pixels, 0, 0);
  place();
}

// Show where a color lies, as near as this lightness allows.
export function follow(hex) {
  const [, a, b] = toLab(fromHex(hex));
  [state.a, state.b] = within(a, b);
  place();
}

function choose(a, b) {
  [state.a, state.b] = within(a, b);
  place();
  state.pick(toHex(toRgb([state.lightness, state.a, state.b])));
}

function point(event) {
  const box = wheel.getBoundingClientRect();
  choose((2 * (event.clientX - box.left) / box.width - 1) * REACH, (1 - 2 * (event.clientY - box.top) / box.height) * REACH);
}

wheel.addEventListener("pointerdown", (event) => { wheel.setPointerCapture(event.pointerId); point(event); });
wheel.addEventListener("pointermove", (event) => { if (wheel.hasPointerCapture(event.pointerId)) point(event); });
wheel.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: [-Math.PI / 36, 0], ArrowRight: [Math.PI / 36, 0], ArrowUp: [0, 4], ArrowDown: [0, -4] }[event.key];
  if (!step) return;
  event.preventDefault();
  const chroma = Math.max(0, Math.hypot(state.a, state.b) + step[1]), hue = Math.atan2(state.b, state.a) + step[0];
  choose(chroma * Math.cos(hue), chroma * Math.sin(hue));
});
