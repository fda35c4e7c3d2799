// The HTTP interface: every call gives JSON or throws an Error whose message a person can read.

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The studio does not answer. Is it still running? Start it again: tinct studio");
  }
  if (answer.ok) return answer;
  let told = `The studio refused (${answer.status}).`;
  try {
    told = (await answer.json()).detail || told;
  } catch { /* an answer without a text */ }
  const error = new Error(told);
  error.status = answer.status;
  throw error;
}

const json = async (path, options) => (await ask(path, options)).json();
const at = (id) => `/v1/sessions/${encodeURIComponent(id)}`;

export const models = () => json("/v1/models");
export const state = (id) => json(at(id));
export const close = (id) => ask(at(id), { method: "DELETE" });
export const likely = (id, x, y) => json(`${at(id)}/suggest?x=${x}&y=${y}`);
export const regions = (id) => json(`${at(id)}/suggest`);
export const variants = (id) => json(`${at(id)}/variants`);
export const grayAddress = (id) => `${at(id)}/gray`;
export const doubtAddress = (id) => `${at(id)}/doubt`;
export const previewAddress = (id, version, whole) => `${at(id)}/preview?v=${version}${whole ? "&whole=true" : ""}`;
export const exportAddress = (id, format) => `${at(id)}/export${format ? `?format=${format}` : ""}`;
export const zipAddress = (ids) => `/v1/exports.zip?keys=${ids.map(encodeURIComponent).join(",")}`;

export function open(file) {
  const form = new FormData();
  form.append("picture", file, file.name || "pasted.png");
  return json("/v1/sessions", { method: "POST", body: form });
}

export function change(id, wanted) {
  return json(at(id), {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
  });
}

export const recipe = (id) => json(`${at(id)}/recipe`);

export function takeRecipe(id, recipe) {
  return json(`${at(id)}/recipe`, {
    method: "PUT",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(recipe),
  });
}

export function takeReference(id, file) {
  const form = new FormData();
  form.append("picture", file, file.name || "pasted.png");
  return json(`${at(id)}/reference`, { method: "PUT", body: form });
}

export function keep(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export async function download(address, name) {
  const answer = await ask(address);
  const told = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") || "");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = told ? decodeURIComponent(told[1]) : name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
