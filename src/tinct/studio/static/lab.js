// sRGB and CIE Lab (D65, 2 degrees), as IEC 61966-2-1 and ISO/CIE 11664-4 define them.

const WHITE = [0.95047, 1, 1.08883];

const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const coded = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const root = (t) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : t / (3 * (6 / 29) ** 2) + 4 / 29);
const power = (t) => (t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29));

// Red, green, blue 0..255 to [L, a, b].
export function toLab(rgb) {
  const [r, g, b] = rgb.map((v) => linear(v / 255));
  const x = root((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / WHITE[0]);
  const y = root((0.2126729 * r + 0.7151522 * g + 0.072175 * b) / WHITE[1]);
  const z = root((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / WHITE[2]);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// [L, a, b] to red, green, blue 0..255; null where sRGB cannot show it.
export function toRgb([l, a, b]) {
  const fy = (l + 16) / 116;
  const x = WHITE[0] * power(fy + a / 500), y = power(fy), z = WHITE[2] * power(fy - b / 200);
  const found = [
    3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
    -0.969266 * x + 1.8760108 * y + 0.041556 * z,
    0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
  ];
  if (found.some((v) => v < -1e-3 || v > 1 + 1e-3)) return null;
  return found.map((v) => Math.round(255 * Math.min(1, Math.max(0, coded(Math.max(v, 0))))));
}

export const toHex = (rgb) => `#${rgb.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
export const fromHex = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
