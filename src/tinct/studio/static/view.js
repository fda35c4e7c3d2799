// The picture on the stage: zoom, pan, the divider between before and after.

const $ = (id) => document.getElementById(id);
const stage = $("stage"), frame = $("frame"), divider = $("divider");
const view = { scale: 1, x: 0, y: 0, width: 1, height: 1, compare: false, split: 0.5, held: false };

export const isWhole = () => view.scale * devicePixelRatio > 1400 / Math.max(view.width, view.height) * 1.05;

export function place() {
  frame.style.width = `${view.width}px`;
  frame.style.height = `${view.height}px`;
  frame.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
  frame.classList.toggle("sharp", view.scale >= 3);
  for (const mark of document.querySelectorAll("#hints button, #pointer")) mark.style.scale = String(1 / view.scale);
  const gray = $("gray");
  divider.hidden = !view.compare || frame.hidden;
  if (view.held) {
    gray.style.clipPath = "none";
  } else if (view.compare) {
    const edge = (stage.clientWidth * view.split - view.x) / (view.width * view.scale);
    gray.style.clipPath = `inset(0 ${100 * (1 - Math.min(1, Math.max(0, edge)))}% 0 0)`;
    divider.style.left = `${100 * view.split}%`;
    divider.setAttribute("aria-valuenow", String(Math.round(100 * view.split)));
  } else {
    gray.style.clipPath = "inset(0 100% 0 0)";
  }
}

export function show(width, height) {
  Object.assign(view, { width, height });
  fit();
}

export function fit() {
  view.scale = Math.min(stage.clientWidth / view.width, stage.clientHeight / view.height, 4);
  view.x = (stage.clientWidth - view.width * view.scale) / 2;
  view.y = (stage.clientHeight - view.height * view.scale) / 2;
  place();
}

export function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.min(16, Math.max(0.02, view.scale * factor));
  view.x = x - (x - view.x) * scale / view.scale;
  view.y = y - (y - view.y) * scale / view.scale;
  view.scale = scale;
  place();
}

export const full = () => zoom(1 / devicePixelRatio / view.scale);
export const move = (x, y) => { view.x += x; view.y += y; place(); };
export const compare = (on) => { view.compare = on; place(); };
export const hold = (on) => { view.held = on; place(); };

// Where a point of the window lies in the picture, in shares; null outside.
export function spot(event) {
  const box = stage.getBoundingClientRect();
  const x = (event.clientX - box.left - view.x) / (view.width * view.scale);
  const y = (event.clientY - box.top - view.y) / (view.height * view.scale);
  return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { x, y } : null;
}

function split(value) {
  view.split = Math.min(1, Math.max(0, value));
  place();
}

divider.addEventListener("pointerdown", (event) => {
  event.stopPropagation();
  divider.setPointerCapture(event.pointerId);
});
divider.addEventListener("pointermove", (event) => {
  if (!divider.hasPointerCapture(event.pointerId)) return;
  const box = stage.getBoundingClientRect();
  split((event.clientX - box.left) / box.width);
});
divider.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -0.05, ArrowRight: 0.05, Home: -1, End: 1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  split(view.split + step);
});
stage.addEventListener("wheel", (event) => {
  if (frame.hidden) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });
new ResizeObserver(fit).observe(stage);
