// The page: pictures, hints, what is undone and redone, and what is saved.

import * as api from "./api.js";
import { toLab } from "./lab.js";
import * as strokes from "./strokes.js";
import * as view from "./view.js";
import * as wheel from "./wheel.js";

const $ = (id) => document.getElementById(id);
const HELD = "tinct.sessions";
const pictures = [];      // { state, past: [], future: [] }
let current = null;       // one of them
let chosen = -1;          // the hint that is chosen
let pipette = false;
let waiting = 0;
let pointer = { x: 0.5, y: 0.5 };

// ---------------------------------------------------------------- telling

function say(text) { $("said").textContent = text; }

function fail(error) {
  $("error-text").textContent = error.message || String(error);
  $("error").hidden = false;
}

async function busy(work) {
  waiting += 1;
  const shown = setTimeout(() => { $("busy").hidden = false; }, 300);
  try {
    return await work();
  } catch (error) {
    fail(error);
    return undefined;
  } finally {
    clearTimeout(shown);
    waiting -= 1;
    if (!waiting) $("busy").hidden = true;
  }
}

// ---------------------------------------------------------------- pictures

function remember() {
  localStorage.setItem(HELD, JSON.stringify(pictures.map((one) => one.state.id)));
}

function add(state) {
  const one = { state, past: [], future: [] };
  pictures.push(one);
  remember();
  return one;
}

async function openFiles(files) {
  for (const file of files) {
    await busy(async () => {
      const one = add(await api.open(file));
      if (!current || files.length === 1) show(one);
      say(`${one.state.name} is colored`);
      for (const warning of one.state.warnings) say(warning);
    });
    drawStrip();
  }
}

async function closePicture(one) {
  pictures.splice(pictures.indexOf(one), 1);
  remember();
  api.close(one.state.id).catch(() => {});
  if (one === current) {
    current = null;
    if (pictures.length) show(pictures[0]); else clear();
  }
  drawStrip();
}

function clear() {
  $("frame").hidden = true;
  $("welcome").hidden = false;
  for (const id of ["save", "undo", "redo", "recipe-save", "recipe-load", "reference-take", "reference-drop"]) $(id).disabled = true;
  $("reference-said").textContent = "";
  $("about").textContent = "";
  view.place();
}

function show(one) {
  current = one;
  chosen = -1;
  const { state } = one;
  $("welcome").hidden = true;
  $("frame").hidden = false;
  $("gray").src = api.grayAddress(state.id);
  $("doubt").removeAttribute("src");
  $("variant-list").replaceChildren();
  view.show(state.width, state.height);
  refresh();
  drawStrip();
}

function refresh() {
  const { state } = current;
  const whole = view.isWhole();
  $("colored").src = api.previewAddress(state.id, state.version, whole);
  $("colored").dataset.whole = whole;
  $("colored").alt = `${state.name}, colored`;
  $("strength").value = state.strength;
  $("strength-value").textContent = state.strength.toFixed(2);
  $("warmth").value = state.warmth;
  $("warmth-value").textContent = state.warmth.toFixed(2);
  $("model").value = state.wanted_model;
  $("model-said").textContent = `Colored by the model for ${state.task === "lineart" ? "drawings" : "photographs"}.`;
  $("quality").value = state.quality;
  for (const id of ["save", "recipe-save", "recipe-load", "reference-take"]) $(id).disabled = false;
  $("reference-drop").disabled = state.reference === null;
  $("reference-said").textContent = state.reference === null ? "" : `The colors are those of ${state.reference.name || "another picture"}.`;
  $("undo").disabled = !current.past.length;
  $("redo").disabled = !current.future.length;
  $("variants-box").hidden = !state.suggests;
  $("show-doubt").disabled = !state.suggests;
  showDoubt();
  const size = `${state.name}: ${state.width} x ${state.height}.`;
  const kept = state.reversible ? " Saved as JPEG, the gray original is kept inside and can be taken back any time (tinct restore)." : "";
  $("about").textContent = [size + kept, ...state.warnings].join(" ");
  drawHints();
}

function drawStrip() {
  const strip = $("strip");
  strip.hidden = pictures.length < 2;
  $("save-all").hidden = pictures.length < 2;
  $("all-box").hidden = pictures.length < 2;
  strip.replaceChildren(...pictures.map((one) => {
    const box = document.createElement("div");
    const button = document.createElement("button");
    button.className = "picture";
    button.type = "button";
    button.setAttribute("aria-current", String(one === current));
    button.title = one.state.name;
    const image = document.createElement("img");
    image.src = api.previewAddress(one.state.id, one.state.version, false);
    image.alt = one.state.name;
    button.append(image);
    button.addEventListener("click", () => show(one));
    const cross = document.createElement("button");
    cross.className = "close";
    cross.type = "button";
    cross.textContent = "×";
    cross.setAttribute("aria-label", `Close ${one.state.name}`);
    cross.addEventListener("click", () => closePicture(one));
    box.append(button, cross);
    return box;
  }));
}

// ---------------------------------------------------------------- changes

const wantedOf = (state) => ({ hints: state.hints, strength: state.strength, warmth: state.warmth, reference: state.reference, model: state.wanted_model, keep: state.keep, quality: state.quality });

async function change(one, wanted) {
  const state = await api.change(one.state.id, wanted);
  one.state = state;
  if (one === current) refresh();
  drawStrip();
}

async function edit(changes, told) {
  if (!current) return;
  const one = current;
  const before = wantedOf(one.state);
  await busy(async () => {
    await change(one, { ...before, ...changes });
    one.past.push(before);
    one.future.length = 0;
    if (one === current) refresh();
    say(told);
  });
}

// The server has changed a picture by itself, by a file that it was sent.
function took(one, before, state, told) {
  one.state = state;
  one.past.push(before);
  one.future.length = 0;
  if (one === current) refresh();
  drawStrip();
  say(told);
}

async function step(from, to, told) {
  if (!current || !current[from].length) return;
  const one = current;
  const now = wantedOf(one.state);
  const wanted = one[from].pop();
  await busy(async () => {
    await change(one, wanted);
    one[to].push(now);
    chosen = -1;
    if (one === current) refresh();
    say(told);
  });
}

// ---------------------------------------------------------------- hints

// Where a hint is shown, in shares: a stroke at its middle; null for one that has no single place.
function placeOf(hint) {
  const { points } = hint;
  const [x, y] = hint.kind === "point" ? [hint.x, hint.y] : points?.length ? points[Math.floor(points.length / 2)] : [];
  return x === undefined ? null : { x, y };
}

function at(hint, x, y) {
  if (hint.kind === "point") return { ...hint, x, y };
  const from = placeOf(hint);
  const clamp = (value) => Math.min(1, Math.max(0, value));
  return { ...hint, points: hint.points.map(([px, py]) => [clamp(px + x - from.x), clamp(py + y - from.y)]) };
}

const colorOf = (hint) => (hint.kind === "gray" ? "#808080" : typeof hint.color === "string" ? hint.color : null);

function drawHints() {
  const box = $("hints");
  const marks = current.state.hints.map((hint, index) => {
    const place = placeOf(hint);
    if (!place) return null;
    const mark = document.createElement("button");
    mark.type = "button";
    mark.style.left = `${place.x * 100}%`;
    mark.style.top = `${place.y * 100}%`;
    mark.dataset.index = index;
    mark.style.background = colorOf(hint) || "#888";
    mark.className = [index === chosen ? "chosen" : "", hint.radius ? "small" : ""].join(" ");
    mark.setAttribute("aria-label", hint.kind === "gray" ? `Kept gray, ${index + 1}` : `Color ${colorOf(hint) || ""}, ${index + 1}`);
    mark.addEventListener("click", () => choose(index));
    mark.addEventListener("keydown", (event) => nudge(event, index));
    drag(mark, index);
    return mark;
  }).filter(Boolean);
  box.replaceChildren(...marks);
  strokes.draw(current.state.hints, colorOf);
  $("chosen").hidden = chosen < 0;
  view.place();
}

function choose(index) {
  chosen = index;
  const color = colorOf(current.state.hints[index]);
  if (color && current.state.hints[index].kind !== "gray") setColor(color);
  drawHints();
  $("hints").querySelector(`[data-index="${index}"]`)?.focus();
}

function moved(index, x, y) {
  return current.state.hints.map((hint, number) => (number === index ? at(hint, x, y) : hint));
}

function drag(mark, index) {
  let last = null;
  mark.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    mark.setPointerCapture(event.pointerId);
    last = null;
  });
  mark.addEventListener("pointermove", (event) => {
    if (!mark.hasPointerCapture(event.pointerId)) return;
    const spot = view.spot(event);
    if (!spot) return;
    last = spot;
    mark.style.left = `${spot.x * 100}%`;
    mark.style.top = `${spot.y * 100}%`;
  });
  mark.addEventListener("pointerup", () => {
    const place = placeOf(current.state.hints[index]);
    if (last && Math.hypot(last.x - place.x, last.y - place.y) > 0.003) edit({ hints: moved(index, last.x, last.y) }, "The color was moved");
  });
}

function nudge(event, index) {
  const move = { ArrowLeft: [-0.01, 0], ArrowRight: [0.01, 0], ArrowUp: [0, -0.01], ArrowDown: [0, 0.01] }[event.key];
  if (move) {
    event.preventDefault();
    event.stopPropagation();
    const hint = placeOf(current.state.hints[index]);
    const clamp = (value) => Math.min(1, Math.max(0, value));
    edit({ hints: moved(index, clamp(hint.x + move[0]), clamp(hint.y + move[1])) }, "The color was moved");
  } else if (event.key === "Delete" || event.key === "Backspace") {
    event.preventDefault();
    remove(index);
  }
}

function remove(index) {
  chosen = -1;
  edit({ hints: current.state.hints.filter((_, number) => number !== index) }, "The color was removed");
}

// The hint that is chosen, with the color above.
function recolored(hint) {
  if (hint.points?.length > 1) return $("keep-gray").checked ? strokes.gray(hint.points) : strokes.stroke(hint.points, $("color").value);
  const { x, y } = placeOf(hint);
  return hintAt(x, y);
}

function hintAt(x, y) {
  if ($("keep-gray").checked) return { kind: "gray", points: [[x, y]] };
  return { kind: "point", x, y, color: $("color").value };
}

async function setAt({ x, y }) {
  pointer = { x, y };
  showWheel();
  if (pipette) { takeColor(x, y); return; }
  chosen = -1;
  await edit({ hints: [...current.state.hints, hintAt(x, y)] }, "A color was set");
  suggest(x, y);
}

async function suggest(x, y) {
  if (!current.state.suggests) return;
  try {
    const { colors } = await api.likely(current.state.id, x, y);
    $("likely").replaceChildren(...colors.map(({ color, share }) => {
      const button = document.createElement("button");
      button.type = "button";
      const swatch = document.createElement("i");
      swatch.style.background = color;
      button.append(swatch, `${Math.round(share * 100)} %`);
      button.title = color;
      button.setAttribute("aria-label", `${color}, likely at ${Math.round(share * 100)} percent`);
      button.addEventListener("click", () => {
        setColor(color);
        const last = current.state.hints.length - 1;
        const near = current.state.hints[last];
        if (near && near.x === x && near.y === y) edit({ hints: [...current.state.hints.slice(0, last), { kind: "point", x, y, color }] }, `The color is ${color}`);
      });
      return button;
    }));
  } catch { $("likely").replaceChildren(); }
}

function setColor(color) {
  $("color").value = color;
  $("hex").value = color;
  wheel.follow(color);
}

function pixelOf(image, x, y) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d");
  pen.drawImage(image, Math.floor(x * image.naturalWidth), Math.floor(y * image.naturalHeight), 1, 1, 0, 0, 1, 1);
  return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

// The wheel is that of the pointer's lightness: a hint does not change it.
function showWheel() {
  if (!$("gray").naturalWidth) return;
  wheel.draw(toLab(pixelOf($("gray"), pointer.x, pointer.y))[0]);
  wheel.follow($("color").value);
}

function takeColor(x, y) {
  const [r, g, b] = pixelOf($("colored"), x, y);
  setColor(`#${[r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("")}`);
  setPipette(false);
  say("The color was taken");
}

function setPipette(on) {
  pipette = on;
  $("pipette").setAttribute("aria-pressed", String(on));
}

// ---------------------------------------------------------------- doubt and variants

async function showDoubt() {
  const on = $("show-doubt").checked && current?.state.suggests;
  $("doubt").hidden = !on;
  for (const mark of document.querySelectorAll("#hints .ask")) mark.remove();
  if (!on) return;
  const one = current;
  if (!$("doubt").src) $("doubt").src = api.doubtAddress(one.state.id);
  try {
    const { regions } = await api.regions(one.state.id);
    if (one !== current || !$("show-doubt").checked) return;
    $("hints").append(...regions.map((region) => {
      const mark = document.createElement("button");
      mark.type = "button";
      mark.className = "ask";
      mark.textContent = "?";
      mark.style.left = `${region.x * 100}%`;
      mark.style.top = `${region.y * 100}%`;
      mark.setAttribute("aria-label", "Unsure here: set a color");
      mark.addEventListener("click", () => { pointer = region; suggest(region.x, region.y); setAt(region); });
      return mark;
    }));
    view.place();
  } catch (error) { fail(error); }
}

async function showVariants() {
  const one = current;
  if (!one) return;
  await busy(async () => {
    const { variants } = await api.variants(one.state.id);
    if (one !== current) return;
    if (!variants.length) say("The model is sure of this picture");
    $("variant-list").replaceChildren(...variants.map((variant, number) => {
      const button = document.createElement("button");
      button.type = "button";
      const image = document.createElement("img");
      image.src = variant.picture;
      image.alt = `Variant ${number + 1}`;
      button.append(image);
      button.addEventListener("click", () => edit({ hints: [...variant.hints, ...one.state.hints] }, `Variant ${number + 1} was taken`));
      return button;
    }));
  });
}

// ---------------------------------------------------------------- events

$("open").addEventListener("click", () => $("file").click());
$("open-too").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", (event) => { openFiles([...event.target.files]); event.target.value = ""; });
$("sample").addEventListener("click", () => busy(async () => {
  const blob = await (await fetch("/static/sample.jpg")).blob();
  await openFiles([new File([blob], "cat.jpg", { type: "image/jpeg" })]);
}));
$("save").addEventListener("click", () => busy(async () => {
  await api.download(api.exportAddress(current.state.id, $("format").value), current.state.name);
  say("Saved");
}));
$("save-all").addEventListener("click", () => busy(() => api.download(api.zipAddress(pictures.map((one) => one.state.id)), "tinct.zip")));
$("apply-all").addEventListener("click", () => busy(async () => {
  const { hints, ...settings } = wantedOf(current.state);
  for (const one of pictures) if (one !== current) await change(one, { ...wantedOf(one.state), ...settings });
  say("All pictures have these settings");
}));
$("undo").addEventListener("click", () => step("past", "future", "Undone"));
$("redo").addEventListener("click", () => step("future", "past", "Redone"));
$("color").addEventListener("input", () => { setColor($("color").value); $("keep-gray").checked = false; });
wheel.onPick((color) => { $("color").value = color; $("hex").value = color; $("keep-gray").checked = false; });
$("gray").addEventListener("load", showWheel);
$("quality").addEventListener("change", () => edit({ quality: $("quality").value }, "The model looks again"));
$("recipe-save").addEventListener("click", () => busy(async () => {
  const text = `${JSON.stringify(await api.recipe(current.state.id), null, 2)}\n`;
  api.keep(text, `${current.state.name.replace(/\.[^.]*$/, "")}.tinct.json`);
  say("The recipe was saved");
}));
$("recipe-load").addEventListener("click", () => $("recipe-file").click());
$("recipe-file").addEventListener("change", (event) => busy(async () => {
  const one = current, before = wantedOf(one.state);
  let recipe;
  try {
    recipe = JSON.parse(await event.target.files[0].text());
  } catch {
    throw new Error("This file is no color recipe; choose one that ends in .tinct.json.");
  } finally {
    event.target.value = "";
  }
  took(one, before, await api.takeRecipe(one.state.id, recipe), "The recipe was taken");
}));
$("reference-take").addEventListener("click", () => $("reference-file").click());
$("reference-file").addEventListener("change", (event) => busy(async () => {
  const one = current, before = wantedOf(one.state), file = event.target.files[0];
  event.target.value = "";
  took(one, before, await api.takeReference(one.state.id, file), "The palette was taken");
}));
$("reference-drop").addEventListener("click", () => edit({ reference: null }, "The colors are the model's own again"));
$("hex").addEventListener("change", () => {
  const text = $("hex").value.trim();
  if (/^#[0-9a-f]{6}$/i.test(text)) setColor(text.toLowerCase()); else fail(new Error(`${text} is no color; write it as #rrggbb.`));
});
$("pipette").addEventListener("click", () => setPipette(!pipette));
$("recolor").addEventListener("click", () => edit({
  hints: current.state.hints.map((hint, index) => (index === chosen ? recolored(hint) : hint)),
}, "The color was changed"));
$("remove").addEventListener("click", () => remove(chosen));
$("strength").addEventListener("input", () => { $("strength-value").textContent = Number($("strength").value).toFixed(2); });
$("strength").addEventListener("change", () => edit({ strength: Number($("strength").value) }, "The strength was changed"));
$("warmth").addEventListener("input", () => { $("warmth-value").textContent = Number($("warmth").value).toFixed(2); });
$("warmth").addEventListener("change", () => edit({ warmth: Number($("warmth").value) }, "The warmth was changed"));
$("model").addEventListener("change", () => edit({ model: $("model").value }, "The model was changed"));
$("compare").addEventListener("click", () => {
  const on = $("compare").getAttribute("aria-pressed") !== "true";
  $("compare").setAttribute("aria-pressed", String(on));
  view.compare(on);
});
for (const [start, on] of [["pointerdown", true], ["pointerup", false], ["pointerleave", false]]) $("hold").addEventListener(start, () => view.hold(on));
$("hold").addEventListener("keydown", (event) => { if (event.key === " " || event.key === "Enter") view.hold(true); });
$("hold").addEventListener("keyup", () => view.hold(false));
$("fit").addEventListener("click", () => { view.fit(); sharpen(); });
$("full").addEventListener("click", () => { view.full(); sharpen(); });
$("show-doubt").addEventListener("change", showDoubt);
$("variants").addEventListener("click", showVariants);
$("error-close").addEventListener("click", () => { $("error").hidden = true; });

function sharpen() {
  if (current && view.isWhole() && $("colored").dataset.whole !== "true") refresh();
}

const stage = $("stage");
let began = null;
const fingers = new Map();
stage.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button, #divider")) return;
  fingers.set(event.pointerId, event);
  began = { x: event.clientX, y: event.clientY, moved: false };
  stage.setPointerCapture(event.pointerId);
  if ($("paint").checked && current && !pipette && fingers.size === 1) strokes.begin(view.spot(event), $("keep-gray").checked ? "#808080" : $("color").value);
});
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before || !current) return;
  if (strokes.going() && fingers.size === 1) {
    strokes.go(view.spot(event));
  } else if (fingers.size === 2) {
    strokes.end();
    const [other] = [...fingers.values()].filter((one) => one.pointerId !== event.pointerId);
    const far = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    view.zoom(far(event) / Math.max(far(before), 1));
    began.moved = true;
  } else if (began.moved || Math.hypot(event.clientX - began.x, event.clientY - began.y) > 5) {
    began.moved = true;
    view.move(event.clientX - before.clientX, event.clientY - before.clientY);
  }
  fingers.set(event.pointerId, event);
});
stage.addEventListener("pointerup", (event) => {
  if (!fingers.delete(event.pointerId) || !current) return;
  const painted = strokes.end();
  if (painted.length > 1) {
    const hint = $("keep-gray").checked ? strokes.gray(painted) : strokes.stroke(painted, $("color").value);
    edit({ hints: [...current.state.hints, hint] }, "A stroke was painted");
    return;
  }
  if (began.moved) { sharpen(); return; }
  const spot = view.spot(event);
  if (spot) setAt(spot);
});
stage.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
stage.addEventListener("wheel", () => { clearTimeout(stage.later); stage.later = setTimeout(sharpen, 250); });
stage.addEventListener("keydown", (event) => {
  if (!current || event.target !== stage) return;
  const step = event.shiftKey ? 0.1 : 0.02;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (move) {
    pointer = { x: Math.min(1, Math.max(0, pointer.x + move[0])), y: Math.min(1, Math.max(0, pointer.y + move[1])) };
  } else if (event.key === "Enter" || event.key === " ") {
    setAt(pointer);
  } else if (event.key === "+" || event.key === "=") {
    view.zoom(1.25);
    sharpen();
  } else if (event.key === "-") {
    view.zoom(0.8);
  } else if (event.key === "0") {
    view.fit();
  } else {
    return;
  }
  event.preventDefault();
  const mark = $("pointer");
  mark.hidden = false;
  mark.style.left = `${pointer.x * 100}%`;
  mark.style.top = `${pointer.y * 100}%`;
  view.place();
});
stage.addEventListener("blur", () => { $("pointer").hidden = true; });

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.target.matches("input[type=text]")) return;
  const key = event.key.toLowerCase();
  if (key === "z" && !event.shiftKey) { event.preventDefault(); $("undo").click(); }
  if (key === "y" || (key === "z" && event.shiftKey)) { event.preventDefault(); $("redo").click(); }
  if (key === "s" && current) { event.preventDefault(); $("save").click(); }
  if (key === "o") { event.preventDefault(); $("file").click(); }
});
document.addEventListener("paste", (event) => openFiles([...event.clipboardData.files]));
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    stage.classList.toggle("over", name === "dragover");
    if (name === "drop") openFiles([...event.dataTransfer.files]);
  });
}

async function start() {
  await busy(async () => {
    const label = { photo: "photographs", lineart: "drawings" };
    const named = (await api.models()).map((model) => new Option(label[model.name] || model.name, model.name));
    $("model").replaceChildren(new Option("tells by itself", "auto"), ...named);
  });
  const ids = JSON.parse(localStorage.getItem(HELD) || "[]");
  for (const id of ids) {
    try { add(await api.state(id)); } catch { /* it has ended since */ }
  }
  remember();
  if (pictures.length) show(pictures[0]);
  document.body.dataset.ready = "true";
}

start();
