// The addresses, from the OpenAPI description.

const box = document.getElementById("addresses");
const { paths } = await (await fetch("/openapi.json")).json();

function element(name, text) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  return made;
}

for (const [path, methods] of Object.entries(paths)) {
  for (const [method, told] of Object.entries(methods)) {
    const heading = element("h2");
    heading.append(element("code", `${method.toUpperCase()} ${path}`));
    const list = element("ul");
    for (const one of told.parameters || []) list.append(element("li", `${one.name} (${one.in}${one.required ? ", needed" : ""}) ${one.description || ""}`));
    const answers = Object.entries(told.responses).map(([code, answer]) => `${code} ${answer.description}`).join("; ");
    box.append(heading, element("p", told.description || told.summary), list, element("p", `Answers: ${answers}.`));
  }
}
