// Strokes: painted by dragging, shown as lines over the picture.

const NS = "http://www.w3.org/2000/svg";
const box = document.getElementById("strokes");
const NEAR = 0.006;       // shares; nearer places of a stroke are left out
let points = [];
let lines = [];

const round = (value) => Math.round(value * 1e4) / 1e4;
export const stroke = (places, color) => ({ kind: "stroke", points: places, color });
export const gray = (places) => ({ kind: "gray", points: places });

function line(places, color) {
  return ["#000", color].map((stroke, number) => {
    const made = document.createElementNS(NS, "polyline");
    made.setAttribute("points", places.map((place) => place.join(",")).join(" "));
    made.setAttribute("stroke", stroke);
    if (number === 0) made.setAttribute("class", "edge");
    return made;
  });
}

export function draw(hints, colorOf) {
  lines = [];
  box.replaceChildren(...hints.filter((hint) => hint.points?.length > 1).flatMap((hint) => line(hint.points, colorOf(hint) || "#888")));
}

export const going = () => points.length > 0;

export function begin(place, color) {
  if (!place) return;
  points = [[round(place.x), round(place.y)]];
  lines = line(points, color);
  box.append(...lines);
}

export function go(place) {
  if (!place) return;
  const [x, y] = points[points.length - 1];
  if (Math.hypot(place.x - x, place.y - y) < NEAR) return;
  points.push([round(place.x), round(place.y)]);
  for (const one of lines) one.setAttribute("points", points.map((spot) => spot.join(",")).join(" "));
}

// End the stroke and return its places; none where none was begun.
export function end() {
  const found = points;
  for (const one of lines) one.remove();
  points = [];
  lines = [];
  return found;
}
